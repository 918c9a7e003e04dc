package github

// The answers kept for conditional requests, of all repositories in one
// bounded store, the least recently used dropped first. Rules:
//
//   - Only a 200 with an ETag is kept: nothing else can be confirmed by a 304.
//   - An answer belongs to the token it was given to (httpcache sees to it by
//     Vary: Authorization), and to the credential it was asked with: two
//     repositories' tokens may read the same address and be told different things.

import (
	"bytes"
	"container/list"
	"sync"
)

type cache struct {
	mu    sync.Mutex
	most  int // bytes
	size  int
	byKey map[string]*list.Element
	order *list.List // of *kept, the most recently used first
}

type kept struct {
	key    string
	answer []byte
}

func newCache(most int) *cache {
	return &cache{most: most, byKey: map[string]*list.Element{}, order: list.New()}
}

// view is the cache of one credential, an httpcache.Cache.
func (c *cache) view(prefix string) cacheView { return cacheView{cache: c, prefix: prefix} }

type cacheView struct {
	cache  *cache
	prefix string
}

// Get returns a kept answer.
func (v cacheView) Get(key string) (answer []byte, found bool) { return v.cache.get(v.prefix + key) }

// Set keeps an answer.
func (v cacheView) Set(key string, answer []byte) { v.cache.set(v.prefix+key, answer) }

// Delete forgets an answer.
func (v cacheView) Delete(key string) {
	v.cache.mu.Lock()
	defer v.cache.mu.Unlock()
	v.cache.drop(v.cache.byKey[v.prefix+key])
}

func (c *cache) get(key string) ([]byte, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.byKey[key]
	if e == nil {
		return nil, false
	}
	c.order.MoveToFront(e)
	return e.Value.(*kept).answer, true
}

func (c *cache) set(key string, answer []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drop(c.byKey[key])
	size := len(key) + len(answer)
	if size > c.most || !confirmable(answer) {
		return
	}
	c.byKey[key] = c.order.PushFront(&kept{key: key, answer: answer})
	c.size += size
	for c.size > c.most {
		c.drop(c.order.Back())
	}
}

// drop takes an entry out, with mu held; nil is none.
func (c *cache) drop(e *list.Element) {
	if e == nil {
		return
	}
	k := c.order.Remove(e).(*kept)
	delete(c.byKey, k.key)
	c.size -= len(k.key) + len(k.answer)
}

// confirmable tells whether a dumped answer is a 200 with an ETag.
func confirmable(answer []byte) bool {
	head, _, _ := bytes.Cut(answer, []byte("\r\n\r\n"))
	status, headers, _ := bytes.Cut(head, []byte("\r\n"))
	fields := bytes.Fields(status)
	return len(fields) > 1 && string(fields[1]) == "200" &&
		bytes.Contains(bytes.ToLower(append([]byte("\r\n"), headers...)), []byte("\r\netag:"))
}
