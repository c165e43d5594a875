"""What a judge makes of an asked prompt, as its reader meets it: figures and sentences of an answer."""
