// Command istio runs Istio's sidecar injector, as istiod does, without the rest
// of istiod. Its files are the two keys of the ConfigMap istio-sidecar-injector.
//
//	istio -address HOST:PORT -certificate FILE -key FILE -config FILE -values FILE
package main

import (
	"flag"
	"fmt"
	"net/http"
	"os"

	"istio.io/istio/pilot/pkg/model"
	"istio.io/istio/pkg/config/mesh/meshwatcher"
	"istio.io/istio/pkg/kube/inject"
)

func main() {
	address := flag.String("address", "", "address to listen on")
	certificate := flag.String("certificate", "", "certificate of the server (PEM)")
	key := flag.String("key", "", "its key (PEM)")
	config := flag.String("config", "", "templates")
	values := flag.String("values", "", "values of the chart")
	flag.Parse()

	watcher, err := inject.NewFileWatcher(*config, *values)
	check(err)
	environment := model.NewEnvironment()
	// The defaults of a mesh.
	environment.Watcher = meshwatcher.NewTestWatcher(nil)
	mux := http.NewServeMux()
	injector, err := inject.NewWebhook(inject.WebhookParameters{Watcher: watcher, Env: environment, Mux: mux})
	check(err)
	go injector.Run(make(chan struct{}))
	check(http.ListenAndServeTLS(*address, *certificate, *key, mux))
}

// check exits with the error, if there is one.
func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "istio:", err)
		os.Exit(1)
	}
}
