package content

// A three-way merge by lines. Lines keep their ends, so CRLF files and files
// without a final newline come out as they went in. Ranges that both sides
// changed, or that touch, are in conflict unless both made them the same; a
// conflict takes the lines of theirs and says so.
//
// The difference is Myers's, in linear space. It is the shortest one unless a
// range has thousands of differences; beyond that it goes on from the furthest
// point reached, so that hostile files cost little, and still finds what lines
// they share. A library that gives the rest of the file up as one difference
// would turn a person's small change into part of a large conflict, and so
// lose it.

import "bytes"

// Merged is the outcome of [Merge3].
type Merged struct {
	Text      []byte
	Conflicts int // ranges that both sides changed differently; theirs was taken
}

// searchDepth bounds the search for the shortest difference of one range.
const searchDepth = 1000

// hunk is a range of base lines [lo, hi) that became lines [from, to).
type hunk struct{ lo, hi, from, to int }

// Merge3 applies to ours what changed from base to theirs.
func Merge3(base, ours, theirs []byte) Merged {
	b, o, t := splitLines(base), splitLines(ours), splitLines(theirs)
	ids := map[string]int{}
	bi, oi, ti := intern(ids, b), intern(ids, o), intern(ids, t)
	ho, ht := diffLines(bi, oi), diffLines(bi, ti)

	var m Merged
	emit := func(lines [][]byte) {
		for _, l := range lines {
			m.Text = append(m.Text, l...)
		}
	}
	at, shiftO, shiftT := 0, 0, 0 // base line, and how far each side's lines are off it
	for len(ho) > 0 || len(ht) > 0 {
		lo := len(b) + 1
		if len(ho) > 0 {
			lo = ho[0].lo
		}
		if len(ht) > 0 {
			lo = min(lo, ht[0].lo)
		}
		hi, endO, endT := lo, shiftO, shiftT
		changedO, changedT := false, false
		for {
			if len(ho) > 0 && ho[0].lo <= hi {
				hi, endO, changedO = max(hi, ho[0].hi), ho[0].to-ho[0].hi, true
				ho = ho[1:]
			} else if len(ht) > 0 && ht[0].lo <= hi {
				hi, endT, changedT = max(hi, ht[0].hi), ht[0].to-ht[0].hi, true
				ht = ht[1:]
			} else {
				break
			}
		}
		emit(b[at:lo])
		mine, their := o[lo+shiftO:hi+endO], t[lo+shiftT:hi+endT]
		switch {
		case !changedT:
			emit(mine)
		case changedO && !equalLines(mine, their):
			m.Conflicts++
			emit(their)
		default:
			emit(their)
		}
		at, shiftO, shiftT = hi, endO, endT
	}
	emit(b[at:])
	return m
}

func equalLines(a, b [][]byte) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !bytes.Equal(a[i], b[i]) {
			return false
		}
	}
	return true
}

// splitLines cuts data after every LF; the last line may have none.
func splitLines(data []byte) [][]byte {
	var lines [][]byte
	for len(data) > 0 {
		n := bytes.IndexByte(data, '\n') + 1
		if n == 0 {
			n = len(data)
		}
		lines = append(lines, data[:n])
		data = data[n:]
	}
	return lines
}

// intern gives equal lines equal numbers.
func intern(ids map[string]int, lines [][]byte) []int {
	out := make([]int, len(lines))
	for i, l := range lines {
		id, ok := ids[string(l)]
		if !ok {
			id = len(ids)
			ids[string(l)] = id
		}
		out[i] = id
	}
	return out
}

// diffLines are the ranges in which b differs from a, in order, with at least
// one common line between two of them.
func diffLines(a, b []int) []hunk {
	d := differ{a: a, b: b, goneA: make([]bool, len(a)), newB: make([]bool, len(b))}
	d.only()
	d.forward = make([]int, 2*(len(d.xa)+len(d.xb))+4)
	d.backward = make([]int, len(d.forward))
	d.compare(0, len(d.xa), 0, len(d.xb))
	var out []hunk
	for i, j := 0, 0; i < len(a) || j < len(b); {
		if i < len(a) && j < len(b) && !d.goneA[i] && !d.newB[j] {
			i, j = i+1, j+1
			continue
		}
		h := hunk{lo: i, from: j}
		for i < len(a) && d.goneA[i] {
			i++
		}
		for j < len(b) && d.newB[j] {
			j++
		}
		h.hi, h.to = i, j
		out = append(out, h)
	}
	return out
}

type differ struct {
	a, b              []int
	goneA, newB       []bool
	xa, xb            []int // indexes of the lines that both sides have
	forward, backward []int
}

// only marks the lines that the other side does not have at all: they differ
// whatever the rest does, and leaving them out keeps files without much in
// common fast.
func (d *differ) only() {
	inA, inB := map[int]bool{}, map[int]bool{}
	for _, id := range d.a {
		inA[id] = true
	}
	for _, id := range d.b {
		inB[id] = true
	}
	for i, id := range d.a {
		if d.goneA[i] = !inB[id]; inB[id] {
			d.xa = append(d.xa, i)
		}
	}
	for j, id := range d.b {
		if d.newB[j] = !inA[id]; inA[id] {
			d.xb = append(d.xb, j)
		}
	}
}

func (d *differ) same(i, j int) bool { return d.a[d.xa[i]] == d.b[d.xb[j]] }

// compare marks the differences between xa[alo:ahi] and xb[blo:bhi]: Myers's
// algorithm by the middle of the shortest path, then each half.
func (d *differ) compare(alo, ahi, blo, bhi int) {
	for alo < ahi && blo < bhi && d.same(alo, blo) {
		alo, blo = alo+1, blo+1
	}
	for alo < ahi && blo < bhi && d.same(ahi-1, bhi-1) {
		ahi, bhi = ahi-1, bhi-1
	}
	switch {
	case alo == ahi:
		for j := blo; j < bhi; j++ {
			d.newB[d.xb[j]] = true
		}
	case blo == bhi:
		for i := alo; i < ahi; i++ {
			d.goneA[d.xa[i]] = true
		}
	default:
		x, y, ok := d.middle(alo, ahi, blo, bhi)
		if !ok || x == alo && y == blo || x == ahi && y == bhi { // nothing in common
			d.compare(alo, ahi, blo, blo)
			d.compare(ahi, ahi, blo, bhi)
			return
		}
		d.compare(alo, x, blo, y)
		d.compare(x, ahi, y, bhi)
	}
}

// middle is a point on a shortest path, found by walking from both ends until
// the walks meet; false when the ranges have nothing in common.
func (d *differ) middle(alo, ahi, blo, bhi int) (x, y int, ok bool) {
	n, m := ahi-alo, bhi-blo
	half := (n + m + 1) / 2
	delta, size := n-m, 2*half+2
	fw, bw := d.forward[:size], d.backward[:size]
	for i := range fw {
		fw[i], bw[i] = -1, -1
	}
	fw[half+1], bw[half+1] = 0, 0
	front := delta%2 != 0 // which walk can be the one that meets the other
	var skipLow, skipHigh, skipLowB, skipHighB int
	for step := range half {
		if step > searchDepth {
			return furthest(fw, half, n, m, alo, blo)
		}
		for k := -step + skipLow; k <= step-skipHigh; k += 2 {
			x := advance(fw, half+k, k == -step, k == step)
			y := x - k
			for x < n && y < m && d.same(alo+x, blo+y) {
				x, y = x+1, y+1
			}
			fw[half+k] = x
			switch at := half + delta - k; {
			case x > n:
				skipHigh += 2
			case y > m:
				skipLow += 2
			case front && at >= 0 && at < size && bw[at] >= 0 && x >= n-bw[at]:
				return alo + x, blo + y, true
			}
		}
		for k := -step + skipLowB; k <= step-skipHighB; k += 2 {
			x := advance(bw, half+k, k == -step, k == step)
			y := x - k
			for x < n && y < m && d.same(ahi-1-x, bhi-1-y) {
				x, y = x+1, y+1
			}
			bw[half+k] = x
			switch at := half + delta - k; {
			case x > n:
				skipHighB += 2
			case y > m:
				skipLowB += 2
			case !front && at >= 0 && at < size && fw[at] >= 0 && fw[at] >= n-x:
				return alo + fw[at], blo + fw[at] - (delta - k), true
			}
		}
	}
	return 0, 0, false
}

// advance is how far a walk comes on a diagonal from its neighbours.
func advance(reach []int, at int, lowest, highest bool) int {
	if lowest || !highest && reach[at-1] < reach[at+1] {
		return reach[at+1]
	}
	return reach[at-1] + 1
}

// furthest is the point that the forward walk came furthest to.
func furthest(fw []int, half, n, m, alo, blo int) (x, y int, ok bool) {
	best := -1
	for i, reach := range fw {
		if dx, dy := reach, reach-(i-half); reach >= 0 && dx <= n && dy >= 0 && dy <= m && dx+dy > best {
			best, x, y = dx+dy, alo+dx, blo+dy
		}
	}
	return x, y, best > 0
}
