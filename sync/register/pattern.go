package register

import (
	"errors"
	"slices"
	"strings"
	"unicode/utf8"
)

// pattern is a compiled Field.Pattern. The language is what RE2, JSON Schema
// and the pattern attribute of a form all read alike: literals, \d, classes
// [A-Z\d] and [^…], groups ( ) and (?: ), alternatives |, and the repetitions
// ? * + {n} {n,} {n,m}. A pattern always covers the whole value. Matching takes
// time in proportion to pattern and value, whatever they are, for definitions
// come from a peer. The regexp package would do the same, and add a tenth to
// the browser's download.
type pattern struct {
	code []step
	work int // calls of emit; nested repetitions of nothing add no steps
}

// step is one state: it takes a rune in set and goes to next, or, with a nil
// set, goes to both next and other for nothing. The last step accepts.
type step struct {
	set         *runeSet
	next, other int // other is -1 where there is none
}

type runeSet struct {
	ranges [][2]rune
	not    bool
}

func (s *runeSet) has(r rune) bool {
	return s.not != slices.ContainsFunc(s.ranges, func(b [2]rune) bool { return b[0] <= r && r <= b[1] })
}

const (
	maxRepeat = 100  // in {n,m}
	maxSteps  = 2000 // of a compiled pattern
	maxNested = 20
)

var errPattern = errors.New("not a pattern")

// node is a parsed pattern.
type node struct {
	set       *runeSet // a single rune
	all       []node   // one after the other; of a node without set and either
	either    []node
	repeat    *node
	low, high int // of repeat; high is -1 for no limit
}

func compilePattern(s string) (*pattern, error) {
	if len(s) > maxPattern || !utf8.ValidString(s) {
		return nil, errPattern
	}
	p := patternParser{rest: s}
	root, err := p.alternatives(0)
	if err != nil {
		return nil, err
	}
	if p.rest != "" {
		return nil, errPattern
	}
	var compiled pattern
	if err := compiled.emit(root); err != nil {
		return nil, err
	}
	compiled.code = append(compiled.code, step{next: -1, other: -1})
	return &compiled, nil
}

type patternParser struct{ rest string }

func (p *patternParser) peek() rune {
	if p.rest == "" {
		return -1
	}
	r, _ := utf8.DecodeRuneInString(p.rest)
	return r
}

func (p *patternParser) take() rune {
	r := p.peek()
	if r >= 0 {
		p.rest = p.rest[utf8.RuneLen(r):]
	}
	return r
}

func (p *patternParser) alternatives(depth int) (node, error) {
	if depth > maxNested {
		return node{}, errPattern
	}
	var either []node
	for {
		var all []node
		for r := p.peek(); r >= 0 && r != '|' && r != ')'; r = p.peek() {
			atom, err := p.atom(depth)
			if err != nil {
				return node{}, err
			}
			if atom, err = p.repetition(atom); err != nil {
				return node{}, err
			}
			all = append(all, atom)
		}
		either = append(either, node{all: all})
		if p.peek() != '|' {
			return node{either: either}, nil
		}
		p.take()
	}
}

func (p *patternParser) atom(depth int) (node, error) {
	switch r := p.take(); r {
	case '(':
		p.rest = strings.TrimPrefix(p.rest, "?:")
		inner, err := p.alternatives(depth + 1)
		if err != nil {
			return node{}, err
		}
		if p.take() != ')' {
			return node{}, errPattern
		}
		return inner, nil
	case '[':
		return p.class()
	case '\\':
		set, err := p.escape()
		return node{set: set}, err
	case '?', '*', '+', '{', '}', ']', '.', '^', '$':
		return node{}, errPattern
	default:
		return node{set: &runeSet{ranges: [][2]rune{{r, r}}}}, nil
	}
}

// escape reads what follows a backslash: d, or a sign that would mean
// something by itself.
func (p *patternParser) escape() (*runeSet, error) {
	switch r := p.take(); {
	case r == 'd':
		return &runeSet{ranges: [][2]rune{{'0', '9'}}}, nil
	case r > 0 && strings.ContainsRune(`\/.-+*?()[]{}|^$`, r):
		return &runeSet{ranges: [][2]rune{{r, r}}}, nil
	}
	return nil, errPattern
}

func (p *patternParser) class() (node, error) {
	set := &runeSet{}
	if p.peek() == '^' {
		p.take()
		set.not = true
	}
	for p.peek() != ']' {
		low := p.take()
		switch low {
		case -1, '[':
			return node{}, errPattern
		case '\\':
			escaped, err := p.escape()
			if err != nil {
				return node{}, err
			}
			if low = escaped.ranges[0][0]; low != escaped.ranges[0][1] {
				set.ranges = append(set.ranges, escaped.ranges...)
				continue
			}
		}
		high := low
		if strings.HasPrefix(p.rest, "-") && !strings.HasPrefix(p.rest, "-]") {
			p.take()
			if high = p.take(); high == '\\' || high == '[' || high < low {
				return node{}, errPattern
			}
		}
		set.ranges = append(set.ranges, [2]rune{low, high})
	}
	p.take()
	if len(set.ranges) == 0 {
		return node{}, errPattern
	}
	return node{set: set}, nil
}

func (p *patternParser) repetition(atom node) (node, error) {
	low, high := 0, -1
	switch p.peek() {
	case '?':
		high = 1
	case '*':
	case '+':
		low = 1
	case '{':
		body, rest, ok := strings.Cut(p.rest[1:], "}")
		first, second, comma := strings.Cut(body, ",")
		if !ok || !isDigits(first) || len(body) > 7 || second != "" && !isDigits(second) {
			return node{}, errPattern
		}
		if len(first) > 1 && first[0] == '0' || len(second) > 1 && second[0] == '0' {
			return node{}, errPattern // elsewhere {01} is text
		}
		low = number(first)
		switch {
		case !comma:
			high = low
		case second != "":
			high = number(second)
		}
		if low > maxRepeat || high > maxRepeat || high >= 0 && high < low {
			return node{}, errPattern
		}
		p.rest = "}" + rest
	default:
		return atom, nil
	}
	p.take()
	if r := p.peek(); r == '?' || r == '*' || r == '+' || r == '{' {
		return node{}, errPattern // lazy and doubled repetitions mean different things elsewhere
	}
	return node{repeat: &atom, low: low, high: high}, nil
}

// emit appends the steps of n; they go on to the step behind them.
func (p *pattern) emit(n node) error {
	if p.work++; len(p.code) > maxSteps || p.work > 4*maxSteps {
		return errPattern
	}
	switch {
	case n.set != nil:
		p.code = append(p.code, step{set: n.set, next: len(p.code) + 1, other: -1})
	case n.repeat != nil:
		for range n.low {
			if err := p.emit(*n.repeat); err != nil {
				return err
			}
		}
		var skips []int
		for range max(n.high-n.low, 0) {
			skips = append(skips, p.fork())
			if err := p.emit(*n.repeat); err != nil {
				return err
			}
		}
		if n.high < 0 {
			loop := p.fork()
			if err := p.emit(*n.repeat); err != nil {
				return err
			}
			p.code = append(p.code, step{next: loop, other: -1})
			skips = append(skips, loop)
		}
		for _, at := range skips {
			p.code[at].other = len(p.code)
		}
	case n.either != nil:
		var ends []int
		for i, alternative := range n.either {
			at := -1
			if i < len(n.either)-1 {
				at = p.fork()
			}
			for _, one := range alternative.all {
				if err := p.emit(one); err != nil {
					return err
				}
			}
			if at >= 0 {
				ends = append(ends, len(p.code))
				p.code = append(p.code, step{other: -1})
				p.code[at].other = len(p.code)
			}
		}
		for _, at := range ends {
			p.code[at].next = len(p.code)
		}
	}
	return nil
}

// fork appends a step that goes on and, once its other is set, elsewhere too.
func (p *pattern) fork() int {
	p.code = append(p.code, step{next: len(p.code) + 1, other: -1})
	return len(p.code) - 1
}

// match reports whether the pattern covers the whole of s.
func (p *pattern) match(s string) bool {
	now, then := newStates(len(p.code)), newStates(len(p.code))
	p.enter(now, 0)
	for _, r := range s {
		for _, i := range now.list {
			if set := p.code[i].set; set != nil && set.has(r) {
				p.enter(then, p.code[i].next)
			}
		}
		now, then = then, now
		then.clear()
		if len(now.list) == 0 {
			return false
		}
	}
	return now.in[len(p.code)-1]
}

// states is a set of steps in which matching may be.
type states struct {
	list []int
	in   []bool
}

func newStates(n int) *states { return &states{in: make([]bool, n)} }

func (s *states) clear() {
	s.list = s.list[:0]
	clear(s.in)
}

// enter adds step i and all that follow from it for nothing.
func (p *pattern) enter(s *states, i int) {
	for stack := []int{i}; len(stack) > 0; {
		i := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if i < 0 || s.in[i] {
			continue
		}
		s.in[i] = true
		s.list = append(s.list, i)
		if p.code[i].set == nil {
			stack = append(stack, p.code[i].next, p.code[i].other)
		}
	}
}
