"""Arrays in, numbers out: no judge, no checkpoint. Imports no other room of the analyzer."""
