// Command promobot carries changes between the environments of GitOps
// repositories by pull request.
package main

import (
	"context"
	"os"
)

func main() { os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr)) }
