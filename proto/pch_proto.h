// What pch_std.h has, the Protobuf runtime, and the wire types that nearly every source of
// server/ and pd/ includes; see cmake/Targets.cmake.
#pragma once
#include <lib/base/pch_std.h>

#include <proto/errorpb.pb.h>
#include <proto/eraftpb.pb.h>
#include <proto/kvrpcpb.pb.h>
#include <proto/metapb.pb.h>
#include <proto/pdpb.pb.h>
#include <proto/raft_serverpb.pb.h>
