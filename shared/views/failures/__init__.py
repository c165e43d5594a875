"""Every wrong verdict on the probe set: since when, beside which twin, in which groups, where inside it parts."""
