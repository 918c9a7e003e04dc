package main

// The disk, as far as systems tell alike.

import (
	"os"
	"path/filepath"
)

// parentOf is the folder that a path lies in; of a root, itself.
func parentOf(path string) string {
	whole, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	return filepath.Dir(whole)
}

// mayWrite says whether a file can be made in a folder, by making one.
func mayWrite(dir string) bool {
	file, err := os.CreateTemp(dir, ".promobot-doctor-")
	if err != nil {
		return false
	}
	_ = file.Close()
	return os.Remove(file.Name()) == nil
}
