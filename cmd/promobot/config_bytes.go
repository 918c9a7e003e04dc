package main

import (
	"fmt"
	"strconv"
	"strings"
)

// Bytes is a size on disk.
type Bytes int64

// The units of sizes: as disks are sold (GB), and as they are counted (GiB).
var byteUnits = []struct {
	name string
	size Bytes
}{
	{"TiB", 1 << 40}, {"TB", 1e12}, {"GiB", 1 << 30}, {"GB", 1e9}, {"MiB", 1 << 20}, {"MB", 1e6}, {"KiB", 1 << 10}, {"KB", 1e3}, {"B", 1},
}

// parseBytes reads a whole number with its unit, in any case and with blanks
// between them, as "10GB" or "512 MiB"; 0 needs no unit.
func parseBytes(text string) (Bytes, error) {
	wrong := fmt.Errorf("%q is not a size; write a whole number with its unit, such as 500MB or 10GB", text)
	digits := strings.TrimRight(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ ")
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 || strings.HasPrefix(digits, "+") {
		return 0, wrong
	}
	name := strings.TrimLeft(text[len(digits):], " ")
	for _, unit := range byteUnits {
		if !strings.EqualFold(unit.name, name) {
			continue
		}
		if size := Bytes(n) * unit.size; size/unit.size == Bytes(n) {
			return size, nil
		}
		return 0, wrong
	}
	if n == 0 && name == "" {
		return 0, nil
	}
	return 0, wrong
}

// String writes it with the largest unit that makes it a whole number.
func (b Bytes) String() string {
	for _, unit := range byteUnits {
		if b != 0 && b%unit.size == 0 {
			return fmt.Sprintf("%d%s", b/unit.size, unit.name)
		}
	}
	return "0"
}
