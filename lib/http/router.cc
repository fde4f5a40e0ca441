#include "lib/http/router.h"

#include <algorithm>

#include "lib/base/check.h"

namespace tikv::http {
namespace {

std::vector<std::string_view> SplitPath(std::string_view path) {
  std::vector<std::string_view> parts;
  if (path.starts_with('/')) path.remove_prefix(1);
  for (;;) {
    size_t slash = path.find('/');
    parts.push_back(path.substr(0, slash));
    if (slash == std::string_view::npos) return parts;
    path.remove_prefix(slash + 1);
  }
}

void ParseQuery(std::string_view text, std::vector<std::pair<std::string, std::string>>* query) {
  while (!text.empty()) {
    size_t end = std::min(text.find('&'), text.size());
    std::string_view pair = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (pair.empty()) continue;
    size_t equals = pair.find('=');
    std::string_view value = equals == std::string_view::npos ? "" : pair.substr(equals + 1);
    query->emplace_back(PercentDecode(pair.substr(0, equals), true), PercentDecode(value, true));
  }
}

}  // namespace

// A part of a path.  Names of captured parts belong to the handler: two patterns may call the same
// part differently.
struct Router::Entry {
  std::string method;
  Handler handler;
  std::vector<std::string> names;
};

struct Router::Node {
  std::map<std::string, std::unique_ptr<Node>, std::less<>> literals;
  std::unique_ptr<Node> any;        // {name}
  std::vector<Entry> entries;       // Patterns that end here,
  std::vector<Entry> rest_entries;  // and those that end here with {name...}.
};

Router::Router() : root_(std::make_unique<Node>()) {}
Router::~Router() = default;

void Router::HandleRest(Handler handler) { rest_ = std::move(handler); }
void Router::Intercept(Interceptor interceptor) { interceptor_ = std::move(interceptor); }

void Router::Handle(std::string_view method, std::string_view pattern, Handler handler) {
  CHECK(pattern.starts_with('/')) << pattern;
  Node* node = root_.get();
  Entry entry{std::string(method), std::move(handler), {}};
  for (std::string_view part : SplitPath(pattern)) {
    if (!part.starts_with('{')) {
      auto& child = node->literals[std::string(part)];
      if (child == nullptr) child = std::make_unique<Node>();
      node = child.get();
      continue;
    }
    std::string_view name = part.substr(1, part.size() - 2);
    if (name.ends_with("...")) {
      entry.names.emplace_back(name.substr(0, name.size() - 3));
      node->rest_entries.push_back(std::move(entry));
      return;
    }
    entry.names.emplace_back(name);
    if (node->any == nullptr) node->any = std::make_unique<Node>();
    node = node->any.get();
  }
  node->entries.push_back(std::move(entry));
}

const std::vector<Router::Entry>* Router::Match(const Node& node,
                                                const std::vector<std::string_view>& parts,
                                                size_t at,
                                                std::vector<std::string_view>* captured) const {
  if (at == parts.size()) return node.entries.empty() ? nullptr : &node.entries;
  if (auto it = node.literals.find(parts[at]); it != node.literals.end()) {
    if (auto* found = Match(*it->second, parts, at + 1, captured)) return found;
  }
  if (node.any != nullptr && !parts[at].empty()) {
    captured->push_back(parts[at]);
    if (auto* found = Match(*node.any, parts, at + 1, captured)) return found;
    captured->pop_back();
  }
  if (node.rest_entries.empty()) return nullptr;
  const char* begin = parts[at].data();
  const char* end = parts.back().data() + parts.back().size();
  captured->emplace_back(begin, static_cast<size_t>(end - begin));
  return &node.rest_entries;
}

namespace {

// The entry for a method: its own, GET's for HEAD, or the one for all.
template <class Entries>
const typename Entries::value_type* Choose(const Entries& entries, std::string_view method) {
  for (std::string_view wanted :
       {method, std::string_view(method == "HEAD" ? "GET" : method), std::string_view("*")}) {
    for (const auto& entry : entries) {
      if (entry.method == wanted) return &entry;
    }
  }
  return nullptr;
}

template <class Entries>
Response MethodNotAllowed(const Entries& entries) {
  Response response = Response::Text(405, "method not allowed\n");
  std::string allow;
  for (const auto& entry : entries) {
    if (!allow.empty()) allow += ", ";
    allow += entry.method;
  }
  response.headers.emplace_back("Allow", allow);
  return response;
}

}  // namespace

void Router::Route(Request request, Responder responder) const {
  std::string_view target = request.target;
  size_t question = target.find('?');
  request.path = target.substr(0, question);
  if (question != std::string_view::npos) ParseQuery(target.substr(question + 1), &request.query);
  if (interceptor_) {
    auto held = std::make_unique<Responder>(std::move(responder));
    if (interceptor_(request, held)) return;
    return Dispatch(std::move(request), std::move(*held));
  }
  Dispatch(std::move(request), std::move(responder));
}

void Router::Dispatch(Request request, Responder responder) const {
  std::string path = request.path;
  std::vector<std::string_view> captured;
  const auto* entries = Match(*root_, SplitPath(path), 0, &captured);
  if (entries == nullptr && path.size() > 1 && path.ends_with('/')) {
    captured.clear();
    entries =
        Match(*root_, SplitPath(std::string_view(path).substr(0, path.size() - 1)), 0, &captured);
  }
  if (entries == nullptr) {
    if (rest_) return rest_(std::move(request), std::move(responder));
    return responder.Send(Response::Text(404, "404 page not found\n"));
  }
  const Entry* entry = Choose(*entries, request.method);
  if (entry == nullptr) return responder.Send(MethodNotAllowed(*entries));
  for (size_t i = 0; i < entry->names.size(); ++i) {
    request.params[entry->names[i]] = PercentDecode(captured[i], false);
  }
  entry->handler(std::move(request), std::move(responder));
}

}  // namespace tikv::http
