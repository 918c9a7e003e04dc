//go:build linux || darwin

package main

import "syscall"

// freeBytes is what is left of a folder's disk for this user; below 0 when it is
// not told.
func freeBytes(dir string) int64 {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return -1
	}
	return int64(s.Bavail) * int64(s.Bsize) // the types differ between systems
}
