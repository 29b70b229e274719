// Command strained does what makes Go's runtime read its table of functions: it
// grows stacks that hold pointers into themselves, collects garbage under them,
// panics, recovers, and fails at last. What it prints is the same each time.
package main

import (
	"fmt"
	"os"
	"reflect"
	"runtime"
	"sort"
	"strings"
	"sync"
	"time"
)

type node struct {
	left, right *node
	sum         int
}

func tree(depth int) *node {
	if depth == 0 {
		return &node{sum: 1}
	}
	n := &node{left: tree(depth - 1), right: tree(depth - 1)}
	n.sum = n.left.sum + n.right.sum
	return n
}

// deep holds a pointer into its own frame over the growth of its stack, and
// something on the heap that nothing else refers to.
func deep(depth int, above *int) int {
	var here [16]int
	here[depth%16] = depth
	p := &here[depth%16]
	n := tree(3)
	if depth%100 == 0 {
		runtime.GC()
	}
	if depth > 0 {
		deep(depth-1, p)
	}
	return *p + *above + n.sum
}

// recovered panics below some frames with defers, of which some run in loops,
// and recovers.
func recovered(depth int) (said string) {
	defer func() {
		if r := recover(); r != nil {
			said = fmt.Sprint(r, " at ", depth)
			panic(said)
		}
	}()
	for i := range 3 {
		defer func() { runtime.GC(); _ = fmt.Sprint(i) }()
	}
	if depth == 0 {
		var none []int
		_ = none[depth]
	}
	return recovered(depth - 1)
}

func caught(f func() string) (said string) {
	defer func() {
		if r := recover(); r != nil {
			said = "caught " + fmt.Sprint(r)
		}
	}()
	return f()
}

// most is generic, so that its name has an argument.
func most[T any](of []T, less func(a, b T) bool) T {
	best := of[0]
	for _, one := range of {
		if less(best, one) {
			best = one
		}
	}
	return best
}

type tally struct{ of map[string]*node }

func (t *tally) Add(word string) int {
	runtime.GC()
	n := t.of[word]
	if n == nil {
		n = tree(2)
		t.of[word] = n
	}
	n.sum++
	return n.sum
}

func goroutines() []string {
	var all sync.WaitGroup
	words := make(chan string)
	for i := range 50 {
		all.Add(1)
		go func() {
			defer all.Done()
			one := i
			sum := deep(200+i, &one)
			time.Sleep(time.Millisecond)
			words <- fmt.Sprint(i, " ", sum)
		}()
	}
	go func() {
		all.Wait()
		close(words)
	}()
	var got []string
	for word := range words {
		got = append(got, word)
	}
	sort.Strings(got)
	return got
}

// names are those of the functions that call it.
func names() string {
	pc := make([]uintptr, 20)
	frames := runtime.CallersFrames(pc[:runtime.Callers(1, pc)])
	var all []string
	for {
		frame, more := frames.Next()
		all = append(all, frame.Function)
		if !more {
			return strings.Join(all, " ")
		}
	}
}

//go:noinline
func fails(list []string, at int) string { return list[at] }

func main() {
	zero := 0
	fmt.Println("deep", deep(3000, &zero))
	fmt.Println(caught(func() string { return recovered(5) }))
	fmt.Println(most([]string{"a", "c", "b"}, func(a, b string) bool { return a < b }))
	t := &tally{of: map[string]*node{}}
	add := reflect.ValueOf(t).MethodByName("Add").Interface().(func(string) int) // called through reflect's own frame
	made := reflect.MakeFunc(reflect.TypeOf(add), func(in []reflect.Value) []reflect.Value {
		runtime.GC()
		return []reflect.Value{reflect.ValueOf(2 * add(in[0].String()))}
	}).Interface().(func(string) int)
	fmt.Println(add("one"), add("one"), made("two"))
	fmt.Println(strings.Join(goroutines(), ", "))
	fmt.Println(names(), most([]int{1, 2}, func(a, b int) bool { fmt.Println(names()); return a < b }))
	if len(os.Args) > 1 {
		fails(nil, len(os.Args))
	}
}
