package githubsim

// Pages of lists and their Link header (Using pagination in the REST API),
// and ETags.

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

const (
	defaultPerPage = 30
	maxPerPage     = 100
)

// paginate cuts the page asked for out of a list and sets the Link header.
func paginate[T any](c *call, list []T) []T {
	perPage, page := pageOf(c)
	last := max(1, (len(list)+perPage-1)/perPage)
	c.setLink(page, last)
	from := min(len(list), (page-1)*perPage)
	to := min(len(list), from+perPage)
	return list[from:to]
}

// pageOf reads per_page and page as GitHub does: nonsense means the default.
func pageOf(c *call) (perPage, page int) {
	perPage, page = defaultPerPage, 1
	if n, err := strconv.Atoi(c.query("per_page")); err == nil && n > 0 {
		perPage = min(n, maxPerPage)
	}
	if n, err := strconv.Atoi(c.query("page")); err == nil && n > 0 {
		page = n
	}
	return perPage, page
}

// setLink sets the Link header for one page of many; none for a single page.
func (c *call) setLink(page, last int) {
	if last <= 1 && page <= 1 {
		return
	}
	link := func(n int, rel string) string {
		q := c.r.URL.Query()
		q.Set("page", strconv.Itoa(n))
		return fmt.Sprintf("<%s%s?%s>; rel=%q", c.base, c.r.URL.EscapedPath(), q.Encode(), rel)
	}
	var links []string
	if page > 1 {
		links = append(links, link(min(page-1, last), "prev"))
	}
	if page < last {
		links = append(links, link(page+1, "next"), link(last, "last"))
	}
	if page > 1 {
		links = append(links, link(1, "first"))
	}
	c.header.Set("Link", strings.Join(links, ", "))
}

// render maps a list to its JSON; never null, as GitHub's lists are.
func render[T any](list []T, f func(T) obj) []obj {
	out := make([]obj, len(list))
	for i, item := range list {
		out[i] = f(item)
	}
	return out
}

// etag is weak, like GitHub's, and by habit belongs to the token.
func (s *Server) etag(c *call, data []byte) string {
	h := sha256.New()
	if s.Habits().ETagPerToken {
		_, _ = h.Write([]byte(c.who.secret)) // a hash never fails to write
	}
	_, _ = h.Write([]byte(c.header.Get("Link")))
	_, _ = h.Write(data)
	return `W/"` + hex.EncodeToString(h.Sum(nil)) + `"`
}

// etagMatches compares weakly with a list of ETags.
func etagMatches(ifNoneMatch, etag string) bool {
	for one := range strings.SplitSeq(ifNoneMatch, ",") {
		one = strings.TrimSpace(one)
		if one != "" && strings.TrimPrefix(one, "W/") == strings.TrimPrefix(etag, "W/") {
			return true
		}
	}
	return false
}
