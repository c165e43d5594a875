"""The words that class names are made of, a line or two a language; `_` stands between the words of one name.

Case, accents and separators do not count: `words.key` folds names and entries alike. Left out on purpose is what a
judge may mean either way: positive, negative, true, yes, spam, rejected, compliance.
"""

from __future__ import annotations

UNSAFE = """
    unsafe insecure harm harms harmful toxic toxicity malicious malign jailbreak jailbreaking jailbroken
    injection
    prompt_injection instruction_injection prompt_attack attack attacks adversarial exploit dangerous danger
    hazardous hazard hate hateful hatred hate_speech offensive offense offence insult insulting insults threat
    threatening threats obscene obscenity profane profanity vulgar slur slurs swearing abusive abuse abused
    harassment harassing bullying cyberbullying cyber_bullying aggressive aggression hostile derogatory
    demeaning
    violation violating violates violative disallowed prohibited forbidden flagged misuse unethical immoral
    unacceptable inappropriate illegal illicit criminal crime nsfw not_safe_for_work not_for_all_audiences
    explicit
    sexual sexually_explicit sexual_explicit sexual_minors porn pornographic pornography violence violent
    violence_graphic graphic_violence gore self_harm self_injury suicide suicidal terrorism terrorist extremism
    extremist racist racism sexist sexism misogyny misogynistic misogynous misogynist homophobic homophobia
    xenophobic identity_attack identity_hate hof hate_and_offensive phishing malware scam fraud fraudulent
    exfiltration
    data_exfiltration suspicious risky risk high_risk block blocked deny denied csam weapons poison poisoned
    hurtful personal_attack sexual_content sexual_harassment violent_crime violent_crimes non_violent_crime
    non_violent_crimes sex_crimes sex_related_crimes child_sexual_exploitation child_abuse animal_abuse
    drug_abuse
    indiscriminate_weapons hate_crime offensive_speech misinformation disinformation manipulation manipulative
    evasion
    schadlich schaedlich gefahrlich gefaehrlich unsicher bedenklich toxisch hassrede hasserfullt hass
    beleidigung beleidigend anstossig
    bosartig unangemessen hetze bedrohung gefahr aggressiv
    dangereux dangereuse nuisible nocif nocive toxique haineux haineuse haine discours_haineux offensant
    injurieux
    malveillant agressif agressive inapproprie non_securise non_sur insulte menace violent violente
    inseguro insegura peligroso peligrosa danino danina nocivo nociva perjudicial toxico toxica odio
    discurso_de_odio ofensivo ofensiva malicioso maliciosa inapropiado amenaza insulto violento violenta
    agresivo agresiva
    insicuro insicura pericoloso pericolosa dannoso dannosa tossico tossica offensivo offensiva malevolo
    inappropriato aggressivo aggressiva incitamento_all_odio discorso_d_odio minaccia
    perigoso perigosa prejudicial inadequado impróprio ameaca
    nesigur periculos daunator
    опасный опасно опасная опасное небезопасный небезопасно вредный вредно вредоносный токсичный токсично
    токсичность оскорбление оскорбительный оскорбительно ненависть угроза вредный_контент неприемлемо
    небезпечний небезпечно шкідливий токсичний опасен
    不安全 有害 有毒 危险 違規 违规 违法 非法 恶意 攻击 攻击性 冒犯 冒犯性 仇恨 仇恨言论 辱骂 越狱 注入
    提示注入 敏感 色情 暴力
    有害内容 违规内容 有害信息 攻击性言论 冒犯性言论 不合规 风险 有风险 高风险 危險 惡意 攻擊 毒性 歧视 不当
    危険 安全でない 安全ではない 不適切 攻撃 攻撃的 悪意 悪意のある 有毒性 ヘイト ヘイトスピーチ 差別 暴言
    脱獄 問題あり
    위험 위험한 위험함 유해 유해한 유해함 안전하지_않음 안전하지않은 불안전 불안전한 독성 혐오 혐오표현 공격
    공격적 악성 욕설 부적절 비속어 탈옥
    غير_آمن غير_امن ضار مؤذ خطير خطر سام مسيء كراهية خطاب_كراهية خطاب_الكراهية عدواني خبيث
    असुरक्षित हानिकारक खतरनाक विषाक्त विषैला घृणा नफरत नफ़रत अपमानजनक आपत्तिजनक दुर्भावनापूर्ण
    onveilig schadelijk gevaarlijk giftig haatdragend haatspraak haat beledigend kwaadaardig ongepast
    niebezpieczny niebezpieczna niebezpieczne szkodliwy szkodliwa szkodliwe toksyczny toksyczna toksyczne
    nienawisc
    mowa_nienawisci obrazliwy obrazliwe zlosliwy nieodpowiedni
    guvensiz guvenli_degil tehlikeli zararli toksik nefret nefret_soylemi saldirgan saldiri kotu_niyetli
    uygunsuz
    hakaret
    berbahaya tidak_aman beracun toksik ujaran_kebencian kebencian kasar jahat
    khong_an_toan doc_hai nguy_hiem thu_ghet cong_kich
    osaker skadlig farlig giftigt hatisk krankande usikker skadelig hadefuld vaarallinen haitallinen
    nebezpecny nebezpecne skodlivy toxicky nenavistny veszelyes karos gyuloletkelto
    לא_בטוח מסוכן מזיק פוגעני רעיל ניצול ناامن خطرناک مضر توهین_آمیز ไม่ปลอดภัย อันตราย เป็นพิษ
    επικινδυνο τοξικο επιβλαβης
"""
"""What a judge is there to catch."""

SAFE = """
    safe secure harmless unharmful benign legit legitimate normal clean acceptable ethical appropriate unflagged
    inoffensive innocuous nontoxic sfw safe_for_work ok okay low_risk risk_free bonafide allow allowed permitted
    respectful civil trusted inocuo
    sicher harmlos ungefahrlich ungefaehrlich unbedenklich unschadlich angemessen gutartig
    sur securise inoffensif inoffensive sans_danger sans_risque benin benigne anodin acceptable approprie
    seguro segura inofensivo inofensiva benigno benigna apropiado
    sicuro sicura innocuo innocua inoffensivo inoffensiva appropriato accettabile
    inofensivo adequado apropriado aceitavel
    безопасный безопасно безопасная безопасное безопасен безвредный безвредно безобидный
    приемлемо безпечний безпечно нешкідливий
    安全 安全内容 正常内容 无害 無害 合规 正常 无毒 無毒 良性 合法 无风险 低风险 安全的
    適切 正常な 良性な 問題なし 安全な 有害ではない 有害でない 有毒ではない 攻撃的ではない 攻撃的でない
    ヘイトではない
    안전 안전한 안전함 무해 무해한 무해함 유해하지_않음 정상 적절
    آمن امن غير_ضار سليم حميد طبيعي
    सुरक्षित हानिरहित सामान्य उचित
    veilig onschadelijk ongevaarlijk goedaardig gepast
    bezpieczny bezpieczna bezpieczne nieszkodliwy nieszkodliwa nieszkodliwe lagodny odpowiedni
    guvenli zararsiz tehlikesiz uygun iyi_huylu
    aman tidak_berbahaya an_toan vo_hai lanh_manh
    saker ofarlig ufarlig ufarligt sikker turvallinen harmiton bezpecny bezpecne neskodny biztonsagos
    artalmatlan
    בטוח امن بی_خطر ปลอดภัย ασφαλες ακινδυνο
"""
"""What it lets through."""

NEUTRAL = """
    neutral neutre neutro neutrale neutraal neutralny notr neither none nothing default regular nobody 中性 中立
    無し なし 중립 нейтральный нейтрально محايد
"""
"""What says of a text that it is not what the other classes are: safe beside classes that are all unsafe."""

REST = """
    other others rest misc miscellaneous andere anderes sonstige sonstiges autre autres otro otros otra otras altro
    altri outro outros 其他 その他 기타 другое
"""
"""The same under a softmax, where a text that is nothing else ends up. A label with an output of its own that is
called so may as well be a further kind of harm."""

LIKELY_UNSAFE = """
    spam off bad positive yes true fail failed reject rejected biased fake 1 垃圾 是 oui si ja да
"""
"""What is proposed first where the user has to say it. Never taken without being said."""

FILLERS = """
    is label class category prompt prompts content text comment message response request query input user tweet
    post language speech attempt behaviour behavior policy safety score probability classifier detected
    es est ist contenido contenu inhalt contenuto conteudo sprache langage
"""
"""What beside a word tells nothing: "unsafe_content" is "unsafe"."""

INTENSIFIERS = """
    severe severely very highly mildly mild moderately moderate slightly potentially possibly likely somewhat
    extremely explicit implicit general generic other indirect direct targeted
"""
"""What changes how much, and not which side."""

NEGATORS = """
    not non no never without isnt nicht kein keine ohne pas ne sans sin senza sem nao não не без нет niet
    geen zonder nie bez brak degil غير لا ليس بدون नहीं गैर 没有 不是 不 非 无 無 아님 없음 לא ไม่ tidak bukan
    khong ikke inte nem
"""
"""Words that turn a name round, wherever they stand."""

GLUED = "nicht niet not non no un nie не 不 非 无 無 未 没有 비 ไม่"
"""The same without a space before what they turn round."""
