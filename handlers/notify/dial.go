package notify

// Where messages may go. Receivers' addresses come from the configuration, and
// what names resolve to from whoever runs their DNS: the address itself is
// checked, at the moment it is dialled, so that no name can answer one thing to
// the check and another to the connection.

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"
)

// errForbidden marks an address that must not be dialled.
var errForbidden = errors.New("it is not allowed to be told anything")

// never are addresses at which no receiver is, but a cloud's metadata can be.
var never = prefixes(
	"0.0.0.0/8", "169.254.0.0/16", "192.0.0.0/24", "224.0.0.0/4", "240.0.0.0/4", "100.100.100.200/32",
	"::/128", "fe80::/10", "fec0::/10", "ff00::/8", "fd00:ec2::/32", "100::/64",
)

// private are addresses within networks, dialled only with allow_private.
var private = prefixes(
	"10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "198.18.0.0/15",
	"192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "192.88.99.0/24",
	"::1/128", "fc00::/7", "2001:db8::/32", "64:ff9b:1::/48", "2001::/32", "5f00::/16", "3fff::/20",
)

// Within these, an IPv4 address stands in the IPv6 one: from its byte on.
var embedding = []struct {
	prefix netip.Prefix
	at     int
}{
	{netip.MustParsePrefix("64:ff9b::/96"), 12}, // NAT64, RFC 6052
	{netip.MustParsePrefix("2002::/16"), 2},     // 6to4, RFC 3056
	{netip.MustParsePrefix("::/96"), 12},        // IPv4-compatible, RFC 4291
	{netip.MustParsePrefix("::ffff:0:0:0/96"), 12},
}

func prefixes(texts ...string) []netip.Prefix {
	out := make([]netip.Prefix, 0, len(texts))
	for _, s := range texts {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

// forbidden says why an address is not dialled; "" when it is.
func forbidden(addr netip.Addr, allowPrivate bool) string {
	addr = addr.WithZone("").Unmap()
	within := func(list []netip.Prefix) bool {
		for _, p := range list {
			if p.Contains(addr) {
				return true
			}
		}
		return false
	}
	switch {
	case !addr.IsValid():
		return "it is no address"
	case within(never):
		return "it is a link-local, metadata, multicast or reserved address"
	case within(private) && !allowPrivate:
		return "it is in a private network or on this machine; allow_private: true allows that"
	case addr.Is4() || addr == netip.IPv6Loopback():
		return ""
	}
	for _, e := range embedding {
		if e.prefix.Contains(addr) {
			b := addr.As16()
			return forbidden(netip.AddrFrom4([4]byte(b[e.at:e.at+4])), allowPrivate)
		}
	}
	return ""
}

// dialing is how a receiver is reached. A resolver of nil is the system's.
type dialing struct {
	allowPrivate bool
	resolver     *net.Resolver
}

// control is asked with the very address that is about to be connected to.
func (d dialing) control(_ context.Context, _, address string, _ syscall.RawConn) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("%w: %w", errForbidden, err)
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return fmt.Errorf("%w: %w", errForbidden, err)
	}
	if why := forbidden(addr, d.allowPrivate); why != "" {
		return fmt.Errorf("%s: %w: %s", addr, errForbidden, why)
	}
	return nil
}

// client follows no redirect and uses no proxy: either would put another in the
// place of the address that was checked.
func (d dialing) client() *http.Client {
	dialer := &net.Dialer{Timeout: 5 * time.Second, ControlContext: d.control, Resolver: d.resolver}
	return &http.Client{
		Timeout:       sendWithin,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy: nil, DialContext: dialer.DialContext, ForceAttemptHTTP2: true, TLSHandshakeTimeout: 5 * time.Second,
			ResponseHeaderTimeout: sendWithin, MaxResponseHeaderBytes: 64 << 10,
			// A connection that waited could be closed under a request, of which then
			// nobody knows whether it was taken.
			DisableKeepAlives: true,
		},
	}
}
