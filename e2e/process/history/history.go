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

// Absent is what a read of a missing key returns.
const Absent = -1

type input struct {
	write bool
	value int
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
	l.add(key, porcupine.Operation{ClientId: client, Input: input{true, value}, Call: call, Return: ret}, known)
}

// Read records a read that returned value (Absent for no value).
func (l *Log) Read(client int, key string, value int, call int64) {
	l.add(key, porcupine.Operation{ClientId: client, Input: input{value: 0}, Output: value, Call: call, Return: l.Now()}, true)
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
		if i := in.(input); i.write {
			return true, i.value
		}
		return out.(int) == state.(int), state
	},
	DescribeOperation: func(in, out any) string {
		if i := in.(input); i.write {
			return fmt.Sprintf("write %d", i.value)
		}
		return fmt.Sprintf("read %d", out)
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
