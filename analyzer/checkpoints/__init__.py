"""What lies on disk, read without torch: gate, pins, soundness, digest. Imports no other room of the analyzer."""
