"""A run that lies in a bucket or on the Hub, copied into a run on this disk in the gate's order, and results sent
back; must not import a model's library, the supervisor or the worker."""
