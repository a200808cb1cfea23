// Prints the URLs of the manifests that k3s' client asks for, for the images on standard input and a registries.yaml whose
// endpoints have plain HTTP: the image, then each URL without its scheme, in order.
package main

import (
	"bufio"
	"fmt"
	"net/http"
	"os"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/rancher/wharfie/pkg/registries"
)

// recorder has every registry, and no image.
type recorder struct{ asked []string }

func (r *recorder) RoundTrip(request *http.Request) (*http.Response, error) {
	status := http.StatusOK
	if strings.Contains(request.URL.Path, "/manifests/") {
		r.asked = append(r.asked, request.URL.Host+request.URL.Path)
		status = http.StatusNotFound
	}
	return &http.Response{StatusCode: status, Body: http.NoBody, Request: request, Header: http.Header{}}, nil
}

func main() {
	// Endpoints with HTTPS are the upstreams. They are asked through a proxy that is not there.
	os.Setenv("HTTPS_PROXY", "http://127.0.0.1:1")
	config, err := registries.GetPrivateRegistries(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		image, err := name.ParseReference(lines.Text())
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		recorder := &recorder{}
		remote.DefaultTransport = recorder
		config.Image(image)
		fmt.Println(strings.Join(append([]string{lines.Text()}, recorder.asked...), " "))
	}
}
