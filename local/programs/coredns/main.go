// CoreDNS with the plugins that a cluster's DNS needs and no others: the full
// set compiles the SDKs of three clouds.
package main

import (
	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/coremain"
	_ "github.com/coredns/coredns/plugin/cache"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/forward"
	_ "github.com/coredns/coredns/plugin/health"
	_ "github.com/coredns/coredns/plugin/kubernetes"
	_ "github.com/coredns/coredns/plugin/ready"
	_ "github.com/coredns/coredns/plugin/reload"
)

func init() {
	// The order is CoreDNS's own: it is the order in which a query passes.
	dnsserver.Directives = []string{
		"reload", "health", "ready", "errors", "cache", "kubernetes", "forward",
	}
}

func main() {
	coremain.Run()
}
