// What the command lines of tikv-server and pd-server have in common.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <sstream>
#include <string>
#include <utility>

namespace tikv::config {

// Why a program ends before it starts: it was asked for a text, or the arguments are wrong.
struct CommandLineEnd {
  bool asked = false;
  std::string text;
};

// Parses the arguments into what `app` binds; nullopt when they are good.
inline std::optional<CommandLineEnd> Parse(CLI::App* app, int argc, char** argv) {
  try {
    app->parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::ostringstream text;
    const int code = app->exit(error, text, text);
    return CommandLineEnd{code == 0, text.str()};
  }
  return std::nullopt;
}

// Flags that both servers have.  One that was not given leaves the configuration alone.
struct CommonFlags {
  std::optional<std::string> config, log_level, log_file;
  bool config_check = false;
  bool version = false;
};

inline void Declare(CLI::App* app, CommonFlags* flags) {
  app->set_help_flag("-h,--help", "Print this text and exit");
  app->add_flag("-V,--version", flags->version, "Print the version and exit");
  app->add_option("-C,--config", flags->config, "TOML configuration file");
  app->add_flag("--config-check", flags->config_check,
                "Check the configuration file, unknown keys included, and exit");
  app->add_option("-L,--log-level", flags->log_level, "debug, info, warn, error or fatal");
  app->add_option("-f,--log-file", flags->log_file, "Log file [standard error]");
}

inline void Take(const std::optional<std::string>& flag, std::string* field) {
  if (flag.has_value()) *field = *flag;
}

// C has a section `log` as both servers' configurations do.
template <class C>
void Apply(const CommonFlags& flags, C* config) {
  Take(flags.log_level, &config->log.level);
  Take(flags.log_file, &config->log.file.filename);
}

}  // namespace tikv::config
