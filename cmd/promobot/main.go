// Command promobot carries changes between the environments of GitOps
// repositories by pull request.
package main

import (
	"context"
	"os"

	"github.com/spf13/cobra"
)

func main() {
	if err := newRootCommand().ExecuteContext(context.Background()); err != nil {
		os.Exit(1)
	}
}

func newRootCommand() *cobra.Command {
	return &cobra.Command{
		Use:          "promobot",
		Short:        "Carry changes between environments by pull request",
		SilenceUsage: true,
	}
}
