package main

// What git says over HTTP, read from outside: what became of a push's refs
// (gitprotocol-pack, "Report Status"), and how many objects of which type a
// fetch brought (gitformat-pack).

import (
	"bufio"
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

const flushPacket = "0000"

// packets are the whole pkt-lines of a text; nil stands for flush and other marks.
func packets(text []byte) (lines [][]byte) {
	for len(text) >= 4 {
		n, err := strconv.ParseUint(string(text[:4]), 16, 16)
		if err != nil || int(n) > len(text) {
			break
		}
		if n < 4 {
			lines, text = append(lines, nil), text[4:]
			continue
		}
		lines, text = append(lines, text[4:n]), text[n:]
	}
	return lines
}

// sideband is what was sent on the first band of pkt-lines.
func sideband(lines [][]byte) []byte {
	var out []byte
	for _, l := range lines {
		if len(l) > 0 && l[0] == 1 {
			out = append(out, l[1:]...)
		}
	}
	return out
}

// pushed is a push's refs, and how many of them moved.
type pushed struct {
	refs    []string
	moved   int
	refused int
}

// readPush reads a push and its answer. A push that asked for no report, or
// got none, moved nothing that is known.
func readPush(body, answer []byte) pushed {
	var p pushed
	for rest := body; len(rest) >= 4 && !bytes.HasPrefix(rest, []byte(flushPacket)); {
		n, err := strconv.ParseUint(string(rest[:4]), 16, 16)
		if err != nil || n < 4 || int(n) > len(rest) {
			break
		}
		command, _, _ := bytes.Cut(rest[4:n], []byte{0})
		if fields := strings.SplitN(strings.TrimSpace(string(command)), " ", 3); len(fields) == 3 {
			p.refs = append(p.refs, fields[2])
		}
		rest = rest[n:]
	}
	lines := packets(answer)
	if band := sideband(lines); len(band) > 0 {
		lines = packets(band)
	}
	for _, l := range lines {
		switch {
		case bytes.HasPrefix(l, []byte("ok ")):
			p.moved++
		case bytes.HasPrefix(l, []byte("ng ")):
			p.refused++
		}
	}
	return p
}

// moves says whether a ref below prefix is among those pushed.
func (p pushed) moves(prefix string) bool {
	return slices.ContainsFunc(p.refs, func(ref string) bool { return strings.HasPrefix(ref, prefix) })
}

func (p pushed) text() string {
	if len(p.refs) == 0 {
		return ""
	}
	return fmt.Sprintf(" %d refs (%s …): %d moved, %d refused", len(p.refs), p.refs[0], p.moved, p.refused)
}

// packed is what a pack holds.
type packed struct {
	commits, trees, blobs, tags int
	err                         error // it could not be read to its end
}

// typesOf says of which type objects of the server's are.
type typesOf func(ids []string) (map[string]string, error)

// countPack counts the objects of a fetch's answer (gitprotocol-v2). An answer
// without a pack holds none.
func countPack(answer []byte, bases typesOf) packed {
	lines := packets(answer)
	pack := sideband(lines)
	if len(pack) == 0 {
		return packed{}
	}
	p, err := readPack(pack, bases)
	p.err = err
	return p
}

const (
	packCommit   = 1
	packTree     = 2
	packBlob     = 3
	packTag      = 4
	packOfsDelta = 6
	packRefDelta = 7
)

// readPack counts a pack's objects. A delta is of its base's type: of another
// object of the pack by offset, or of any object by id.
func readPack(pack []byte, bases typesOf) (packed, error) {
	if len(pack) < 12 || string(pack[:4]) != "PACK" {
		return packed{}, errors.New("not a pack")
	}
	count := int(binary.BigEndian.Uint32(pack[8:12]))
	source := bytes.NewReader(pack)
	if _, err := source.Seek(12, io.SeekStart); err != nil {
		return packed{}, err
	}
	types := map[int64]int{} // by offset
	byID := map[int64]string{}
	after := map[int64]int64{} // delta → its base's offset
	var order []int64
	for range count {
		at := int64(len(pack) - source.Len())
		t, err := readEntry(source, at, byID, after)
		if err != nil {
			return packed{}, fmt.Errorf("object at %d: %w", at, err)
		}
		types[at] = t
		order = append(order, at)
	}
	if err := resolveBases(types, byID, bases); err != nil {
		return packed{}, err
	}
	var p packed
	for _, at := range order {
		if base, delta := after[at]; delta {
			types[at] = types[base] // bases come before what builds on them
		}
		switch types[at] {
		case packCommit:
			p.commits++
		case packTree:
			p.trees++
		case packBlob:
			p.blobs++
		case packTag:
			p.tags++
		default:
			return p, fmt.Errorf("the object at %d has no type", at)
		}
	}
	return p, nil
}

// readEntry reads one object and says of which type it is; of a delta, what it
// builds on is noted.
func readEntry(source *bytes.Reader, at int64, byID map[int64]string, after map[int64]int64) (int, error) {
	c, err := source.ReadByte()
	if err != nil {
		return 0, err
	}
	t := int(c >> 4 & 7)
	for c&0x80 != 0 {
		if c, err = source.ReadByte(); err != nil {
			return 0, err
		}
	}
	switch t {
	case packOfsDelta:
		if c, err = source.ReadByte(); err != nil {
			return 0, err
		}
		back := int64(c & 0x7f)
		for c&0x80 != 0 {
			if c, err = source.ReadByte(); err != nil {
				return 0, err
			}
			back = (back+1)<<7 | int64(c&0x7f)
		}
		after[at] = at - back
	case packRefDelta:
		id := make([]byte, 20)
		if _, err := io.ReadFull(source, id); err != nil {
			return 0, err
		}
		byID[at] = fmt.Sprintf("%x", id)
	}
	// A bytes.Reader is read byte by byte, so no more than the object is consumed.
	z, err := zlib.NewReader(source)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, z) //nolint:gosec // the simulator's own packs
	return t, errors.Join(err, z.Close())
}

func resolveBases(types map[int64]int, byID map[int64]string, bases typesOf) error {
	if len(byID) == 0 {
		return nil
	}
	var wanted []string
	for _, id := range byID {
		wanted = append(wanted, id)
	}
	known, err := bases(wanted)
	if err != nil {
		return err
	}
	names := map[string]int{"commit": packCommit, "tree": packTree, "blob": packBlob, "tag": packTag}
	for at, id := range byID {
		types[at] = names[known[id]]
	}
	return nil
}

// readTypes reads what `git cat-file --batch-check` printed.
func readTypes(out []byte) map[string]string {
	m := map[string]string{}
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		if fields := strings.Fields(lines.Text()); len(fields) == 3 {
			m[fields[0]] = fields[1]
		}
	}
	return m
}
