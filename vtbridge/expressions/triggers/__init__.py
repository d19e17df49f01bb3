"""What triggers expressions beside commands: keys pressed anywhere, MIDI devices."""
