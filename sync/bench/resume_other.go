//go:build !linux

package bench

import "context"

func (b *bencher) resume(context.Context) (Resume, error) { return Resume{}, errNoLine }
