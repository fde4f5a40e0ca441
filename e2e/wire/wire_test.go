// Package wire holds the types declared under proto/ against the descriptors in the Go modules
// that clients of TiKV, PD and etcd are built with.  Whatever proto/ declares must be there, equal
// in number, type, label, name and package; a message that proto/ declares must be declared whole,
// since a field left out would be lost between two programs.
package wire

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/pingcap/kvproto/pkg/debugpb"
	_ "github.com/pingcap/kvproto/pkg/diagnosticspb"
	_ "github.com/pingcap/kvproto/pkg/keyspacepb"
	_ "github.com/pingcap/kvproto/pkg/meta_storagepb"
	_ "github.com/pingcap/kvproto/pkg/raft_cmdpb"
	_ "github.com/pingcap/kvproto/pkg/tikvpb"
	_ "go.etcd.io/etcd/server/v3/etcdserver/api/v3election/v3electionpb"
	_ "go.etcd.io/etcd/server/v3/etcdserver/api/v3lock/v3lockpb"
	_ "google.golang.org/grpc/health/grpc_health_v1"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
)

// Packages of which proto/ declares only what other packages refer to.
var partial = map[protoreflect.FullName]bool{
	"authpb":       true,
	"encryptionpb": true,
	"import_sstpb": true,
	"tracepb":      true,
}

// Services that proto/ leaves out of a package it otherwise declares whole.
var leftOut = map[protoreflect.FullName]bool{
	"tikvpb.VersionedKv": true, // stores of another architecture
}

// What we declare, compiled by protoc from TIKV_PROTO_DIR (default: proto/ of this tree).
func declared(t *testing.T) *protoregistry.Files {
	t.Helper()
	dir := os.Getenv("TIKV_PROTO_DIR")
	if dir == "" {
		dir = "../../proto"
	}
	sources, err := filepath.Glob(filepath.Join(dir, "*.proto"))
	if err != nil || len(sources) == 0 {
		t.Fatalf("no .proto files in %s", dir)
	}
	out := filepath.Join(t.TempDir(), "set")
	args := []string{"-I", filepath.Dir(dir), "--descriptor_set_out=" + out}
	if text, err := exec.Command("protoc", append(args, sources...)...).CombinedOutput(); err != nil {
		t.Fatalf("protoc: %v\n%s", err, text)
	}
	encoded, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	set := &descriptorpb.FileDescriptorSet{}
	if err := proto.Unmarshal(encoded, set); err != nil {
		t.Fatal(err)
	}
	files, err := protodesc.NewFiles(set)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// Finds the reference's descriptor of the same name and kind.
func reference[D protoreflect.Descriptor](ours D) (D, error) {
	found, err := protoregistry.GlobalFiles.FindDescriptorByName(ours.FullName())
	if err != nil {
		return ours, fmt.Errorf("%s: the reference has none: %v", ours.FullName(), err)
	}
	theirs, ok := found.(D)
	if !ok {
		return ours, fmt.Errorf("%s: the reference has another kind of thing", ours.FullName())
	}
	return theirs, nil
}

// A field as text, so that two of them compare and a difference explains itself.
func fieldText(f protoreflect.FieldDescriptor) string {
	text := fmt.Sprintf("%s %s %s = %d", f.Cardinality(), f.Kind(), f.Name(), f.Number())
	if f.Message() != nil {
		text += " of " + string(f.Message().FullName())
	}
	if f.Enum() != nil {
		text += " of " + string(f.Enum().FullName())
	}
	if f.ContainingOneof() != nil {
		text += " in " + string(f.ContainingOneof().Name())
	}
	return text + fmt.Sprintf(" packed=%t map=%t presence=%t", f.IsPacked(), f.IsMap(), f.HasPresence())
}

func methodText(m protoreflect.MethodDescriptor) string {
	return fmt.Sprintf("/%s/%s(%s stream=%t) returns (%s stream=%t)", m.Parent().FullName(), m.Name(),
		m.Input().FullName(), m.IsStreamingClient(), m.Output().FullName(), m.IsStreamingServer())
}

type checker struct {
	*testing.T
	messages, fields, values, methods int
}

func (c *checker) message(ours protoreflect.MessageDescriptor) {
	c.messages++
	theirs, err := reference(ours)
	if err != nil {
		c.Error(err)
		return
	}
	for i := range ours.Fields().Len() {
		c.fields++
		a := ours.Fields().Get(i)
		b := theirs.Fields().ByNumber(a.Number())
		if b == nil {
			c.Errorf("%s: field %d is not in the reference", ours.FullName(), a.Number())
		} else if fieldText(a) != fieldText(b) {
			c.Errorf("%s:\n  ours   %s\n  theirs %s", ours.FullName(), fieldText(a), fieldText(b))
		}
	}
	for i := range theirs.Fields().Len() {
		b := theirs.Fields().Get(i)
		if ours.Fields().ByNumber(b.Number()) == nil {
			c.Errorf("%s: missing field %s", ours.FullName(), fieldText(b))
		}
	}
	for i := range ours.Messages().Len() {
		c.message(ours.Messages().Get(i))
	}
	c.enums(ours.Enums())
}

func (c *checker) enums(all protoreflect.EnumDescriptors) {
	for i := range all.Len() {
		ours := all.Get(i)
		theirs, err := reference(ours)
		if err != nil {
			c.Error(err)
			continue
		}
		if ours.Values().Len() != theirs.Values().Len() {
			c.Errorf("%s: %d values, the reference has %d", ours.FullName(), ours.Values().Len(), theirs.Values().Len())
		}
		for j := range ours.Values().Len() {
			c.values++
			a := ours.Values().Get(j)
			if b := theirs.Values().ByNumber(a.Number()); b == nil || a.Name() != b.Name() {
				c.Errorf("%s: %s = %d is not in the reference", ours.FullName(), a.Name(), a.Number())
			}
		}
	}
}

func (c *checker) service(ours protoreflect.ServiceDescriptor) {
	theirs, err := reference(ours)
	if err != nil {
		c.Error(err)
		return
	}
	for i := range ours.Methods().Len() {
		c.methods++
		a := ours.Methods().Get(i)
		b := theirs.Methods().ByName(a.Name())
		if b == nil {
			c.Errorf("%s is not in the reference", methodText(a))
		} else if methodText(a) != methodText(b) {
			c.Errorf("method differs\n  ours   %s\n  theirs %s", methodText(a), methodText(b))
		}
	}
	for i := range theirs.Methods().Len() {
		if b := theirs.Methods().Get(i); ours.Methods().ByName(b.Name()) == nil {
			c.Errorf("missing %s", methodText(b))
		}
	}
}

// Everything that proto/ declares is what the reference declares.
func TestDeclaredTypesEqualTheReference(t *testing.T) {
	c := &checker{T: t}
	declared(t).RangeFiles(func(file protoreflect.FileDescriptor) bool {
		if file.Syntax() != protoreflect.Proto3 {
			t.Errorf("%s: not proto3", file.Path())
		}
		for i := range file.Messages().Len() {
			c.message(file.Messages().Get(i))
		}
		c.enums(file.Enums())
		for i := range file.Services().Len() {
			c.service(file.Services().Get(i))
		}
		return true
	})
	t.Logf("%d messages, %d fields, %d enum values, %d methods", c.messages, c.fields, c.values, c.methods)
}

// Of the packages that are ours whole, nothing is left out by mistake.
func TestNothingIsLeftOutByMistake(t *testing.T) {
	ours := declared(t)
	packages := map[protoreflect.FullName]bool{}
	ours.RangeFiles(func(file protoreflect.FileDescriptor) bool {
		packages[file.Package()] = !partial[file.Package()]
		return true
	})
	present := func(name protoreflect.FullName) {
		if _, err := ours.FindDescriptorByName(name); err != nil && !leftOut[name] {
			t.Errorf("%s is not declared", name)
		}
	}
	protoregistry.GlobalFiles.RangeFiles(func(file protoreflect.FileDescriptor) bool {
		// etcd's own persistent records share the package of its services.
		if !packages[file.Package()] || strings.HasSuffix(file.Path(), "raft_internal.proto") ||
			strings.HasSuffix(file.Path(), "etcdserver.proto") {
			return true
		}
		for i := range file.Messages().Len() {
			present(file.Messages().Get(i).FullName())
		}
		for i := range file.Enums().Len() {
			present(file.Enums().Get(i).FullName())
		}
		for i := range file.Services().Len() {
			present(file.Services().Get(i).FullName())
		}
		return true
	})
}
