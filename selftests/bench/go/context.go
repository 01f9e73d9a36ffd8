// SPDX-License-Identifier: GPL-2.0-only

// Go's contexts, as a peer of the benchmark: takes the figure of a row, and prints it. What
// "go-tree" does is what BenchmarkCancelTree of Go's own tests does at depth=1000.
package main

import (
	"context"
	"fmt"
	"os"
	"time"
)

const (
	checks = 4000000
	trees  = 20
	depth  = 1000
)

// The loop is not the look's.
func cancelled(ctx context.Context) bool {
	return ctx.Err() != nil || ctx.Err() != nil || ctx.Err() != nil || ctx.Err() != nil ||
		ctx.Err() != nil || ctx.Err() != nil || ctx.Err() != nil || ctx.Err() != nil
}

func check() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for n := 0; n < checks/8; n++ {
		if cancelled(ctx) {
			panic("cancelled")
		}
	}
}

func tree() {
	for n := 0; n < trees; n++ {
		top, cancel := context.WithCancel(context.Background())
		for ctx, d := top, 0; d < depth; d++ {
			ctx, _ = context.WithCancel(ctx)
		}
		cancel()
	}
}

func main() {
	row, nr := check, checks
	if os.Args[1] == "go-tree" {
		row, nr = tree, trees
	}
	begin := time.Now()
	row()
	fmt.Printf("%.2f\n", float64(time.Since(begin).Nanoseconds())/float64(nr))
}
