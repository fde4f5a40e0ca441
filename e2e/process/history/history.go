// Package history records raw operations on single-writer registers and checks them for
// linearizability with porcupine.
//
// One writer per key: a client that retries a put after a lost answer may write the value twice,
// which only a single writer can do without disturbing another's value.  A write whose outcome is
// unknown ends its register: the writer goes on with a fresh key.
package history

import (
	"fmt"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"
)

// Absent is what a read of a missing key returns, and what a delete writes.
const Absent = -1

type kind int

const (
	read kind = iota
	write
	swap
)

type input struct {
	kind            kind
	value, expected int
}

// Log collects operations from many clients.
type Log struct {
	start time.Time
	mu    sync.Mutex
	keys  map[string][]porcupine.Operation
	count int
}

// New returns an empty log.
func New() *Log { return &Log{start: time.Now(), keys: map[string][]porcupine.Operation{}} }

// Now is the time since the log began, in nanoseconds: the call time of an operation.
func (l *Log) Now() int64 { return int64(time.Since(l.start)) }

// Write records a finished write of value; known is false when the client got an error.
func (l *Log) Write(client int, key string, value int, call int64, known bool) {
	ret := l.Now()
	if !known {
		ret = 1 << 62 // It may still happen, at any later time.
	}
	l.add(key, porcupine.Operation{ClientId: client, Input: input{kind: write, value: value}, Call: call, Return: ret}, known)
}

// Swap records a compare-and-swap that found expected and wrote value.
func (l *Log) Swap(client int, key string, expected, value int, call int64) {
	l.add(key, porcupine.Operation{ClientId: client, Input: input{swap, value, expected}, Call: call, Return: l.Now()}, true)
}

// Read records a read that returned value (Absent for no value).
func (l *Log) Read(client int, key string, value int, call int64) {
	l.add(key, porcupine.Operation{ClientId: client, Input: input{kind: read}, Output: value, Call: call, Return: l.Now()}, true)
}

func (l *Log) add(key string, op porcupine.Operation, known bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.keys[key] = append(l.keys[key], op)
	if known {
		l.count++
	}
}

// Count is the number of operations with a known outcome.
func (l *Log) Count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.count
}

var register = porcupine.Model{
	Init: func() any { return Absent },
	Step: func(state, in, out any) (bool, any) {
		switch i := in.(input); i.kind {
		case write:
			return true, i.value
		case swap:
			return state.(int) == i.expected, i.value
		default:
			return out.(int) == state.(int), state
		}
	},
	DescribeOperation: func(in, out any) string {
		switch i := in.(input); i.kind {
		case write:
			return fmt.Sprintf("write %d", i.value)
		case swap:
			return fmt.Sprintf("swap %d for %d", i.expected, i.value)
		default:
			return fmt.Sprintf("read %d", out)
		}
	},
}

// Check returns an error that names the first key whose operations no order explains.
func (l *Log) Check(limit time.Duration) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for key, ops := range l.keys {
		switch porcupine.CheckOperationsTimeout(register, ops, limit) {
		case porcupine.Illegal:
			return fmt.Errorf("key %q: %d operations are not linearizable:\n%s", key, len(ops), describe(ops))
		case porcupine.Unknown:
			return fmt.Errorf("key %q: %d operations could not be checked within %s", key, len(ops), limit)
		}
	}
	return nil
}

func describe(ops []porcupine.Operation) string {
	text := ""
	for _, op := range ops {
		text += fmt.Sprintf("  client %d %12d..%12d %s\n", op.ClientId, op.Call, op.Return,
			register.DescribeOperation(op.Input, op.Output))
	}
	return text
}
