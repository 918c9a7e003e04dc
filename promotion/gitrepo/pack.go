package gitrepo

// A pack of whole objects, the form in which git takes many objects at once
// ("gitformat-pack").

import (
	"bytes"
	"compress/zlib"
	"crypto/sha1" //nolint:gosec // git's object ids are SHA-1
	"encoding/binary"
	"encoding/hex"
	"fmt"
)

type kind byte

// The object types by their numbers in a pack.
const (
	kindCommit kind = 1
	kindTree   kind = 2
	kindBlob   kind = 3
)

func (k kind) String() string {
	switch k {
	case kindCommit:
		return "commit"
	case kindTree:
		return "tree"
	case kindBlob:
		return "blob"
	}
	return "unknown"
}

// objectID is the id git gives an object.
func objectID(k kind, data []byte) string {
	h := sha1.New() //nolint:gosec // git's object ids are SHA-1
	fmt.Fprintf(h, "%s %d\x00", k, len(data))
	h.Write(data)
	return hex.EncodeToString(h.Sum(nil))
}

type pack struct {
	body    bytes.Buffer
	count   uint32
	have    map[string]bool
	deflate *zlib.Writer
}

func newPack() *pack {
	p := &pack{have: map[string]bool{}}
	// The pack goes through a pipe to a process beside, which stores the objects in
	// its own way: to compress them in between would be most of the work.
	p.deflate, _ = zlib.NewWriterLevel(&p.body, zlib.NoCompression) // a valid level: cannot fail
	return p
}

// add puts an object into the pack, once, and returns its id.
func (p *pack) add(k kind, data []byte) string {
	id := objectID(k, data)
	if p.have[id] {
		return id
	}
	p.have[id] = true
	p.count++
	// The size: four bits beside the type, then seven at a time, low ones first.
	size := len(data)
	first := byte(k)<<4 | byte(size&0x0f)
	for size >>= 4; size > 0; size >>= 7 {
		p.body.WriteByte(first | 0x80)
		first = byte(size & 0x7f)
	}
	p.body.WriteByte(first)
	p.deflate.Reset(&p.body)
	_, _ = p.deflate.Write(data) // into memory: cannot fail
	_ = p.deflate.Close()
	return id
}

// bytes is the whole pack with header and checksum.
func (p *pack) bytes() []byte {
	out := make([]byte, 0, p.body.Len()+32)
	out = append(out, "PACK"...)
	out = binary.BigEndian.AppendUint32(out, 2)
	out = binary.BigEndian.AppendUint32(out, p.count)
	out = append(out, p.body.Bytes()...)
	sum := sha1.Sum(out) //nolint:gosec // the checksum the format asks for
	return append(out, sum[:]...)
}
