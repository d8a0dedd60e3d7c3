package app

import (
	"net"
	"net/netip"

	"github.com/labstack/echo/v4"
)

// ClientIP returns the address of the client as the echo's IPExtractor finds it,
// or, without one, the peer's. Unlike c.RealIP alone it never believes a header
// that nobody configured.
func ClientIP(c echo.Context) string {
	if extract := c.Echo().IPExtractor; extract != nil {
		return extract(c.Request())
	}
	return echo.ExtractIPDirect()(c.Request())
}

// ipExtractor believes X-Forwarded-For as far back as it was written by
// proxies of the given ranges: the client is the nearest address outside them.
func ipExtractor(proxies []netip.Prefix) echo.IPExtractor {
	if len(proxies) == 0 {
		return echo.ExtractIPDirect()
	}
	trust := []echo.TrustOption{echo.TrustLoopback(false), echo.TrustLinkLocal(false), echo.TrustPrivateNet(false)}
	for _, proxy := range proxies {
		address := proxy.Addr()
		trust = append(trust, echo.TrustIPRange(&net.IPNet{
			IP: address.AsSlice(), Mask: net.CIDRMask(proxy.Bits(), address.BitLen()),
		}))
	}
	return echo.ExtractIPFromXFFHeader(trust...)
}
