package identity

// syncDir has nothing to do: NTFS journals names.
func syncDir(string) error { return nil }
