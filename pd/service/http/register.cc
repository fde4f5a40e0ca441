#include "pd/service/http/register.h"

#include "lib/metrics/metrics.h"
#include "pd/service/http/api.h"
#include "pd/service/http/metrics.h"

namespace tikv::pd {
namespace {

class Services : public HttpServices {
 public:
  Services(const HttpContext& context, http::Router* router) : api_(context, router) {
    RegisterMemberRoutes(api_);
    RegisterStoreRoutes(api_);
    RegisterRegionRoutes(api_);
    RegisterRegionActionRoutes(api_);
    RegisterStatisticRoutes(api_);
    RegisterSchedulerRoutes(api_);
    RegisterOperatorRoutes(api_);
    RegisterConfigRoutes(api_);
    RegisterRuleRoutes(api_);
    RegisterAdminRoutes(api_);
    RegisterProbeRoutes(api_);
    RegisterMaintenanceRoutes(api_);
    RegisterResourceManagerRoutes(api_);
    if (context.registry == nullptr) return;
    RegisterMetrics(context.cluster, context.registry);
    api_.Route("GET", "/metrics", Served::kHere, [](Api& api, const CallPtr& call) {
      call->Raw(200, "text/plain; version=0.0.4; charset=utf-8", api.context().registry->Text());
    });
  }

 private:
  Api api_;
};

}  // namespace

std::unique_ptr<HttpServices> RegisterHttpRoutes(const HttpContext& context, http::Router* router) {
  router->HandleRest([](http::Request, http::Responder responder) {
    responder.Send(http::Response::Text(404, "404 page not found\n"));
  });
  // The router does not mind a slash at the end; the original does.
  router->Intercept([](http::Request& request, std::unique_ptr<http::Responder>& responder) {
    const std::string_view path =
        std::string_view(request.target).substr(0, request.target.find('?'));
    if (!path.starts_with("/pd/api/") || !path.ends_with('/')) return false;
    responder->Send(http::Response::Text(404, "404 page not found\n"));
    return true;
  });
  return std::make_unique<Services>(context, router);
}

}  // namespace tikv::pd
