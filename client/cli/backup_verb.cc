// backup: files of the cluster in a folder of this machine, and back.
#include <memory>
#include <string>

#include "client/cli/backup_actions.h"
#include "client/cli/simulation.h"
#include "client/cli/verbs.h"

namespace dfs::client::cli {
namespace {

// What does not go together, by the words alone.
std::string UsageErrorOf(const BackupFlags& flags) {
  const bool is_create = flags.action == "create";
  const bool is_restore = flags.action == "restore";
  if (is_create && !flags.words.empty()) return "backup create takes a folder, and all files of a bucket or of all buckets";
  if (is_create && flags.is_literal) return "--literal is of verify, ls and restore";
  if (!is_create && (flags.has_all_buckets || flags.reads_kept)) return "--all-buckets and --check are of backup create";
  if (!is_restore && (flags.overwrites || !flags.into.empty())) return "--overwrite and --into are of backup restore";
  if (!is_create && !is_restore && flags.is_dry_run) return "--dry-run is of create and restore: the others change nothing";
  if (flags.action != "ls" && flags.is_long) return "-l is of backup ls";
  return "";
}

int RunBackup(Session& session, const BackupFlags& flags) {
  if (flags.action == "create") return CreateBackup(session, flags);
  if (flags.action == "verify") return VerifyBackup(session, flags);
  return flags.action == "ls" ? ListBackup(session, flags) : RestoreBackup(session, flags);
}

}  // namespace

Verb BackupVerb() {
  return {"backup",
          {},
          "backup create|verify|ls|restore FOLDER [NAME]...",
          "keep the files of a bucket, or of all, in a local folder, and put them back: each a committed version, not all of one moment",
          {"dfs-cli backup create /mnt/nas/dfs", "dfs-cli backup create --all-buckets --jobs=8 /mnt/nas/all",
           "dfs-cli --bucket=photos backup create /mnt/nas/photos", "dfs-cli backup create --check /mnt/nas/dfs",
           "dfs-cli backup verify /mnt/nas/dfs", "dfs-cli backup ls -l /mnt/nas/dfs reports",
           "dfs-cli backup restore --dry-run /mnt/nas/dfs", "dfs-cli backup restore /mnt/nas/dfs reports 'logs/**/*.txt'",
           "dfs-cli backup restore --into=found /mnt/nas/dfs", "dfs-cli --bucket=photos backup restore --overwrite /mnt/nas/all"},
          [](CLI::App& app) -> RunVerb {
            auto flags = std::make_shared<BackupFlags>();
            app.add_option("ACTION", flags->action,
                           "create: read what has changed since the last one, so that the folder holds what the cluster does. verify: "
                           "read it all again. ls: what it holds. restore: put it back")
                ->required()
                ->check(CLI::IsMember({"create", "verify", "ls", "restore"}));
            app.add_option("FOLDER", flags->folder, "of this machine; one folder holds one backup, the last")->required();
            app.add_option("NAME", flags->words,
                           "verify, ls, restore: only the file of this name and what is below it, or what matches this pattern "
                           "(quoted); --bucket: only of this bucket");
            app.add_flag("--all-buckets", flags->has_all_buckets, "create: all buckets of mode quorum and gossip, not only --bucket");
            app.add_flag("--check", flags->reads_kept, "create: read what the folder has already, and replace what is damaged");
            app.add_option("--into", flags->into, "restore: to this bucket (default: those they came from); it is made if it is missing");
            app.add_flag("--overwrite", flags->overwrites,
                         "restore: also where there is a file of this name with other bytes, as a new version (default: leave it, exit 13)");
            app.add_flag("-l,--long", flags->is_long, "ls: bucket, size, version and time, too");
            app.add_flag("--literal", flags->is_literal, "*, ?, [ and backslashes in names mean themselves");
            AddJobsFlag(app, flags->jobs);
            AddDryRunFlag(app, flags->is_dry_run);
            app.callback([flags] {
              if (const std::string error = UsageErrorOf(*flags); !error.empty()) throw CLI::ValidationError(error);
            });
            return [flags](Session& session) { return RunBackup(session, *flags); };
          }};
}

}  // namespace dfs::client::cli
