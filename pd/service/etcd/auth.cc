// etcdserverpb.Auth, which is off and stays off.
#include "lib/base/status.h"
#include "pd/meta/errors.h"
#include "pd/service/etcd/context.h"
#include "proto/etcdauthpb.pb.h"

namespace tikv::pd::etcd {
namespace {

using namespace etcdserverpb;

template <class Request, class Response>
void Refuse(rpc::Server& server, http::Router& router, const std::string& method,
            absl::Status status) {
  Serve<Request, Response>(
      server, router, "/etcdserverpb.Auth/" + method, {},
      [status](const Request&, Reply<Response> reply) { std::move(reply)(status); });
}

template <class Request, class Response>
void AnswerEmpty(EtcdContext* context, rpc::Server& server, http::Router& router,
                 const std::string& method) {
  Serve<Request, Response>(server, router, "/etcdserverpb.Auth/" + method, {},
                           [context](const Request&, Reply<Response> reply) {
                             Response response;
                             context->store->FillHeader(response.mutable_header());
                             std::move(reply)(std::move(response));
                           });
}

}  // namespace

void RegisterAuth(EtcdContext* context, rpc::Server& server, http::Router& router) {
  AnswerEmpty<AuthStatusRequest, AuthStatusResponse>(context, server, router, "AuthStatus");
  AnswerEmpty<AuthDisableRequest, AuthDisableResponse>(context, server, router, "AuthDisable");
  AnswerEmpty<AuthUserListRequest, AuthUserListResponse>(context, server, router, "UserList");
  AnswerEmpty<AuthRoleListRequest, AuthRoleListResponse>(context, server, router, "RoleList");

  Refuse<AuthEnableRequest, AuthEnableResponse>(
      server, router, "AuthEnable", FailedPrecondition("etcdserver: root user does not exist"));
  Refuse<AuthenticateRequest, AuthenticateResponse>(server, router, "Authenticate",
                                                    meta::ErrAuthNotEnabled());
  const absl::Status no_user = FailedPrecondition("etcdserver: user name not found");
  const absl::Status no_role = FailedPrecondition("etcdserver: role name not found");
  Refuse<AuthUserGetRequest, AuthUserGetResponse>(server, router, "UserGet", no_user);
  Refuse<AuthUserDeleteRequest, AuthUserDeleteResponse>(server, router, "UserDelete", no_user);
  Refuse<AuthUserChangePasswordRequest, AuthUserChangePasswordResponse>(
      server, router, "UserChangePassword", no_user);
  Refuse<AuthUserGrantRoleRequest, AuthUserGrantRoleResponse>(server, router, "UserGrantRole",
                                                              no_user);
  Refuse<AuthUserRevokeRoleRequest, AuthUserRevokeRoleResponse>(server, router, "UserRevokeRole",
                                                                no_user);
  Refuse<AuthRoleGetRequest, AuthRoleGetResponse>(server, router, "RoleGet", no_role);
  Refuse<AuthRoleDeleteRequest, AuthRoleDeleteResponse>(server, router, "RoleDelete", no_role);
  Refuse<AuthRoleGrantPermissionRequest, AuthRoleGrantPermissionResponse>(
      server, router, "RoleGrantPermission", no_role);
  Refuse<AuthRoleRevokePermissionRequest, AuthRoleRevokePermissionResponse>(
      server, router, "RoleRevokePermission", no_role);
  const absl::Status off = meta::ErrAuthNotEnabled();
  Refuse<AuthUserAddRequest, AuthUserAddResponse>(server, router, "UserAdd", off);
  Refuse<AuthRoleAddRequest, AuthRoleAddResponse>(server, router, "RoleAdd", off);
}

}  // namespace tikv::pd::etcd
