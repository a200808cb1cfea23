// Prints the hosts that containerd would ask for images of the registries on standard input, in order: the registry, the URL
// that is before the repository, and whether it is asked for tags and for digests.
package main

import (
	"bufio"
	"context"
	"fmt"
	"os"

	"github.com/containerd/containerd/v2/core/remotes/docker"
	"github.com/containerd/containerd/v2/core/remotes/docker/config"
)

func main() {
	hosts := config.ConfigureHosts(context.Background(), config.HostOptions{HostDir: config.HostDirFromRoot(os.Args[1])})
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		found, err := hosts(lines.Text())
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		for _, host := range found {
			digests := host.Capabilities.Has(docker.HostCapabilityPull)
			tags := digests && host.Capabilities.Has(docker.HostCapabilityResolve)
			fmt.Printf("%s %s%s %t %t\n", lines.Text(), host.Host, host.Path, tags, digests)
		}
	}
}
