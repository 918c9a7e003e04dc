package gitrepo

// What was read of a repository and cannot change: commits, trees and small files
// by their ids. A cache that has grown too large is emptied; what is still needed
// is read again.

import (
	"bytes"
	"sync"

	"github.com/promobot/promobot/promotion"
	"github.com/promobot/promobot/promotion/content"
)

const (
	cacheBytes    = 128 << 20
	cacheListings = 16
	// Every run reads the pipeline file and much the same manifests again. They
	// are small; what is not is read anew.
	cacheBlob  = 32 << 10
	cacheBlobs = 2 << 20
)

// entry is one line of a tree.
type entry struct {
	mode, name, id string
}

func (e entry) isTree() bool { return e.mode == modeTree }

// known is a commit as far as it was read.
type known struct {
	commit  promotion.Commit
	changed bool // commit.Changed was computed
	// first is the commit before this one on a chain, "" at its end. Where a
	// shallow clone ends only a walk can tell: until then it is not linked.
	first  string
	linked bool
}

type cache struct {
	mu       sync.Mutex
	bytes    int
	commits  map[string]known
	trees    map[string][]entry
	paths    map[string][]string // by tree
	listed   string              // the tree of the newest of these
	contains map[[2]string]bool
	blobs    content.Blobs // of at most cacheBlob bytes
	inBlobs  int           // their bytes, and what holds them
}

func newCache() *cache {
	c := &cache{}
	c.empty()
	return c
}

// clear forgets everything.
func (c *cache) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.empty()
}

func (c *cache) empty() {
	c.bytes = 0
	c.commits = map[string]known{}
	c.trees = map[string][]entry{}
	c.paths = map[string][]string{}
	c.contains = map[[2]string]bool{}
	c.emptyBlobs()
}

func (c *cache) emptyBlobs() { c.blobs, c.inBlobs = content.Blobs{}, 0 }

// charge counts what is about to be kept. The caller holds mu.
func (c *cache) charge(n int) {
	if c.bytes+n > cacheBytes {
		c.empty()
	}
	c.bytes += n
}

func (c *cache) commit(id string) (known, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k, ok := c.commits[id]
	return k, ok
}

// addCommit keeps a commit, never forgetting its changed paths.
func (c *cache) addCommit(k known) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if old, ok := c.commits[k.commit.ID]; ok && (old.changed || !k.changed) && (old.linked || !k.linked) {
		return
	}
	n := 400 + len(k.commit.Message)
	for _, p := range k.commit.Changed {
		n += 16 + len(p)
	}
	c.charge(n)
	c.commits[k.commit.ID] = k
}

func (c *cache) tree(id string) ([]entry, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t, ok := c.trees[id]
	return t, ok
}

func (c *cache) addTree(id string, entries []entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.trees[id]; ok {
		return
	}
	n := 100
	for _, e := range entries {
		n += 100 + len(e.name)
	}
	c.charge(n)
	c.trees[id] = entries
}

func (c *cache) allPaths(tree string) ([]string, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p, ok := c.paths[tree]
	return p, ok
}

func (c *cache) addPaths(tree string, paths []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.paths) >= cacheListings {
		clear(c.paths)
	}
	c.paths[tree], c.listed = paths, tree
}

// lastPaths is the newest listing, with its tree.
func (c *cache) lastPaths() (tree string, paths []string, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	paths, ok = c.paths[c.listed]
	return c.listed, paths, ok
}

func (c *cache) isContained(pair [2]string) (contained, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	contained, ok = c.contains[pair]
	return contained, ok
}

func (c *cache) addContained(pair [2]string, contained bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.charge(200)
	c.contains[pair] = contained
}

// takeBlobs adds those of the blobs to into that are kept, and returns the others.
func (c *cache) takeBlobs(into content.Blobs, ids []string) (others []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, id := range ids {
		if data, ok := c.blobs[id]; ok {
			into[id] = bytes.Clone(data)
		} else {
			others = append(others, id)
		}
	}
	return others
}

func (c *cache) addBlob(id string, data []byte) {
	if len(data) > cacheBlob {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.blobs[id]; ok {
		return
	}
	n := 200 + len(data)
	if c.inBlobs+n > cacheBlobs {
		c.emptyBlobs()
	}
	c.blobs[id] = bytes.Clone(data)
	c.inBlobs += n
}
