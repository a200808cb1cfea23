// Command webhook runs cert-manager's webhook, with its flags.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/cert-manager/cert-manager/internal/webhook"
	"github.com/cert-manager/cert-manager/pkg/webhook/options"
	"github.com/spf13/pflag"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
)

func main() {
	ctrl.SetLogger(klog.Background())
	config, err := options.NewWebhookConfiguration()
	check(err)
	flags := pflag.NewFlagSet("webhook", pflag.ExitOnError)
	options.AddConfigFlags(flags, config)
	check(flags.Parse(os.Args[1:]))
	server, err := webhook.NewCertManagerWebhookServer(klog.Background(), *config)
	check(err)
	check(server.Run(context.Background()))
}

// check exits with the error, if there is one.
func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "webhook:", err)
		os.Exit(1)
	}
}
