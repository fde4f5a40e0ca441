package history

import (
	"testing"
	"time"
)

func TestStaleReadIsFound(t *testing.T) {
	l := New()
	l.Write(0, "k", 1, l.Now(), true)
	l.Write(0, "k", 2, l.Now(), true)
	l.Read(1, "k", 1, l.Now())
	if l.Check(time.Second) == nil {
		t.Fatal("a read of an overwritten value must be refused")
	}
}

func TestLostWriteIsFound(t *testing.T) {
	l := New()
	l.Write(0, "k", 1, l.Now(), true)
	l.Read(1, "k", Absent, l.Now())
	if l.Check(time.Second) == nil {
		t.Fatal("an acknowledged write must not vanish")
	}
}

func TestUnknownWriteMayOrMayNotShow(t *testing.T) {
	for _, seen := range []int{1, 2} {
		l := New()
		l.Write(0, "k", 1, l.Now(), true)
		l.Write(0, "k", 2, l.Now(), false)
		l.Read(1, "k", seen, l.Now())
		if err := l.Check(time.Second); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSwapThatFoundSomethingElseIsFound(t *testing.T) {
	for expected, holds := range map[int]bool{1: true, 0: false} {
		l := New()
		l.Write(0, "k", 1, l.Now(), true)
		l.Swap(0, "k", expected, 2, l.Now())
		l.Read(1, "k", 2, l.Now())
		if err := l.Check(time.Second); (err == nil) != holds {
			t.Fatalf("swap of %d for 2: %v", expected, err)
		}
	}
}
