package notify

import (
	"net/netip"
	"testing"
)

func TestForbiddenAddresses(t *testing.T) {
	t.Parallel()
	const free, inside, no = "free", "inside", "never"
	for text, want := range map[string]string{
		"93.184.215.14": free, "2606:2800:21f:cb07::1": free, "1.1.1.1": free, "172.15.255.255": free, "172.32.0.1": free, "100.63.255.255": free, "100.128.0.1": free,
		"127.0.0.1": inside, "127.8.8.8": inside, "::1": inside, "10.1.2.3": inside, "172.16.0.1": inside, "172.31.255.255": inside, "192.168.1.1": inside,
		"100.64.0.1": inside, "100.127.255.255": inside, "198.18.0.1": inside, "fc00::1": inside, "fd12:3456::1": inside, "203.0.113.7": inside, "2001:db8::1": inside,
		"::ffff:127.0.0.1": inside, "::ffff:10.0.0.1": inside, "64:ff9b::7f00:1": inside, "64:ff9b::a00:1": inside, "2002:7f00:1::": inside, "2002:c0a8:101::1": inside, "::127.0.0.1": inside,
		"64:ff9b::101:101": free, "2002:101:101::1": free,
		"169.254.169.254": no, "::ffff:169.254.169.254": no, "64:ff9b::a9fe:a9fe": no, "2002:a9fe:a9fe::": no, "fe80::1": no, "fe80::1%eth0": no, "fd00:ec2::254": no,
		"100.100.100.200": no, "0.0.0.0": no, "0.1.2.3": no, "::": no, "224.0.0.1": no, "239.1.1.1": no, "ff02::1": no, "255.255.255.255": no, "240.0.0.1": no, "192.0.0.192": no,
	} {
		got := free
		if forbidden(netip.MustParseAddr(text), false) != "" {
			got = inside
		}
		if forbidden(netip.MustParseAddr(text), true) != "" {
			got = no
		}
		if got != want {
			t.Errorf("%s is %s, not %s", text, got, want)
		}
	}
	if forbidden(netip.Addr{}, true) == "" {
		t.Error("no address at all is dialled")
	}
}
