#include "tests/unit/metadata/random_commands.h"

#include <algorithm>

namespace dfs::metadata {

std::string RandomCommands::Name() {
  static const std::vector<std::string> kNames = {"a",   "b",    "d/1",  "d/2",   "d/3",
                                                  "d/e/1", "d/e/2", "e",  "\xC3\xBC", "../bad"};
  return kNames[random_.Below(kNames.size())];
}

std::uint32_t RandomCommands::AnyNode(World* world) {
  // Of many that were, those that are last: the others are retired.
  const std::uint32_t next = static_cast<std::uint32_t>(world->machine->View()->next_node_id().value());
  const std::uint32_t first = next > 12 && !random_.OneIn(1, 8) ? next - 12 : 0;
  return 1 + first + static_cast<std::uint32_t>(random_.Below(next - first));
}

api::RequestId RandomCommands::Request(World* world) {
  const std::size_t session = random_.Below(next_sequence_.size());
  if (random_.OneIn(1, 60)) {  // a new client of the same number
    births_[session] = world->machine->applied_index().value();
  }
  const std::uint64_t sequence = next_sequence_[session]++;
  const std::uint64_t acked = random_.OneIn(1, 3) && sequence > 5 ? sequence - random_.Below(5) : 0;
  return World::Request(10 + session + 100 * births_[session], sequence, acked, births_[session]);
}

rpc::Command RandomCommands::Node(World* world) {
  rpc::Command command;
  const auto view = world->machine->View();
  const auto kind = random_.Below(3);
  if (random_.OneIn(1, 3)) return Departure(world);
  if (kind == 0 && view->member_count() < 7) {
    *command.mutable_add_node()->mutable_node() = NodeOf(view->next_node_id().value());
  } else if (kind == 1) {
    command.mutable_activate_node()->set_node_id(AnyNode(world));
  } else {
    const auto node = view->FindNode(NodeId(AnyNode(world)));
    if (!node) return command;
    rpc::NodeStarted* started = command.mutable_node_started();
    started->set_node_id(node->node_id());
    *started->mutable_storage_uuid() = node->storage_uuid();
    started->set_boot_epoch(node->boot_epoch() + random_.Below(2));
    started->set_client_address("moved:" + std::to_string(random_.Below(3)));
  }
  return command;
}

// Marks, retires, and takes retired nodes out of the rows; also such as must be refused.
rpc::Command RandomCommands::Departure(World* world) {
  rpc::Command command;
  const auto view = world->machine->View();
  const std::uint32_t any = AnyNode(world);
  const auto node = view->FindNode(NodeId(any));
  switch (random_.Below(4)) {
    case 0:
    case 1: {
      rpc::MarkNode* const mark = command.mutable_mark_node();
      mark->set_node_id(any);
      mark->set_boot_epoch((node ? node->boot_epoch() : 0) + (random_.OneIn(1, 6) ? 1 : 0));
      if (random_.OneIn(2, 3)) mark->set_is_out(random_.OneIn(1, 2));
      if (random_.OneIn(1, 2)) {
        mark->set_departure(static_cast<rpc::Departure>(random_.Below(4)));
        if (mark->departure() == rpc::FORGOTTEN && random_.OneIn(1, 2)) {
          mark->set_successor(AnyNode(world));
        }
      }
      break;
    }
    case 2:
      // Rarely enough that four members remain: sets of three can be chosen in more ways than one.
      if (view->member_count() > 4 || random_.OneIn(1, 20)) {
        command.mutable_retire_node()->set_node_id(any);
      }
      break;
    default:
      command.mutable_retire_step()->set_node_id(any);
      for (const auto& row : view->Nodes()) {
        if (row.has_rows() && random_.OneIn(1, 2)) {
          command.mutable_retire_step()->set_node_id(row.node_id());
        }
      }
      if (random_.OneIn(1, 2)) {
        *command.mutable_retire_step()->mutable_after() =
            ToWire(TxnId{world->term, random_.Below(world->last_sequence + 1)});
      }
  }
  return command;
}

BucketId RandomCommands::AnyBucket(World* world) {
  if (random_.OneIn(1, 40)) return BucketId(random_.Below(30));
  const auto buckets = world->machine->View()->Buckets();
  if (buckets.empty() || random_.OneIn(1, 2)) return kBucket;
  return BucketId(buckets[random_.Below(buckets.size())].id());
}

// Made, and removed; also with options that contradict each other, and such as have files.
rpc::Command RandomCommands::Bucket(World* world) {
  rpc::Command command;
  if (random_.OneIn(1, 2)) {
    BucketId id = AnyBucket(world);
    for (const auto& bucket : world->machine->View()->Buckets()) {
      const BucketId other(bucket.id());
      const bool is_empty = world->machine->View()->CountsOf(other).files() == 0;
      if (is_empty && random_.OneIn(1, 2)) id = other;
    }
    *command.mutable_remove_bucket()->mutable_request_id() = Request(world);
    command.mutable_remove_bucket()->set_bucket_id(id.value());
    return command;
  }
  rpc::MakeBucket& make = *command.mutable_make_bucket();
  *make.mutable_request_id() = Request(world);
  make.set_name("b" + std::to_string(random_.Below(5)));
  api::BucketOptions& options = *make.mutable_options();
  if (random_.OneIn(1, 3)) {
    options.set_all_members(true);
  } else {
    options.set_replicas(static_cast<std::uint32_t>(random_.Below(6)));
    options.set_write_quorum(static_cast<std::uint32_t>(random_.Below(3)));
    options.set_allow_no_overlap(random_.OneIn(1, 2));
  }
  options.set_versions_kept(static_cast<std::uint32_t>(random_.Below(5)));
  if (random_.OneIn(1, 2)) options.set_quota_files(1 + random_.Below(6));
  if (random_.OneIn(1, 2)) options.set_quota_bytes(20 + random_.Below(200));
  return command;
}

// Remove, move, undelete.
rpc::Command RandomCommands::Change(World* world) {
  rpc::Command command;
  const std::uint64_t bucket = AnyBucket(world).value();
  const std::string name = Name();
  switch (random_.Below(8)) {
    case 0:
    case 1: {
      rpc::MoveFile& move = *command.mutable_move_file();
      *move.mutable_request_id() = Request(world);
      move.set_bucket_id(bucket);
      move.set_source(name);
      move.set_target(Name());
      move.set_if_absent(random_.OneIn(1, 3));
      break;
    }
    case 2: {
      rpc::UndeleteFile& undelete = *command.mutable_undelete_file();
      *undelete.mutable_request_id() = Request(world);
      undelete.set_bucket_id(bucket);
      undelete.set_name(name);
      undelete.set_replaces(random_.OneIn(1, 2));
      break;
    }
    default: {
      rpc::RemoveFile& remove = *command.mutable_remove_file();
      *remove.mutable_request_id() = Request(world);
      remove.set_bucket_id(bucket);
      remove.set_name(name);
      const auto olds = world->machine->View()->FindOlds(BucketId(bucket), name);
      if (!olds.empty() && random_.OneIn(1, 2)) {
        remove.set_version(olds[random_.Below(olds.size())].number());
      }
    }
  }
  return command;
}

rpc::Command RandomCommands::Put(World* world) {
  PutOptions options;
  options.chunks = static_cast<int>(random_.Below(4));
  options.acks.clear();
  options.set.clear();
  for (int i = 0; i < 4; ++i) {
    options.set.push_back(AnyNode(world));
    if (i < 3) options.acks.push_back(options.set.back());
  }
  const std::string name = Name();
  world->bucket = AnyBucket(world);
  options.if_absent = random_.OneIn(1, 15);
  options.writer = random_.OneIn(1, 2) ? "" : "w" + std::to_string(random_.Below(2));
  options.window_s = random_.OneIn(1, 8) ? 60 : 0;
  if (!options.if_absent && random_.OneIn(1, 4)) {
    const auto current = world->Find(name);
    options.if_version = current && random_.OneIn(2, 3) ? current->number() : 0;
  }
  rpc::Command command;
  *command.mutable_commit_put() = world->PutCommand(name, options);
  *command.mutable_commit_put()->mutable_request_id() = Request(world);
  world->bucket = kBucket;
  return command;
}

rpc::Command RandomCommands::Replicas(World* world) {
  rpc::Command command;
  std::vector<rpc::VersionRow> versions;
  const auto keep = [&](const rpc::VersionRow& version) {
    if (version.chunks_size() > 0) versions.push_back(version);
    return true;
  };
  world->machine->View()->ListIncomplete({}, keep);
  if (random_.OneIn(2, 3)) world->machine->View()->ListVersions({}, keep);
  command.mutable_change_replicas();
  for (std::uint64_t i = random_.Below(5); i > 0 && !versions.empty(); --i) {
    const rpc::VersionRow& version = versions[random_.Below(versions.size())];
    const auto chunk = static_cast<int>(
        random_.Below(static_cast<std::uint64_t>(version.chunks_size())));
    const auto state = static_cast<api::ReplicaState>(random_.OneIn(2, 3) ? 1 : random_.Below(4));
    // Most often one that is there to be replaced.
    const auto& replicas = version.chunks(chunk).replicas();
    const std::uint32_t named =
        random_.OneIn(1, 4)
            ? AnyNode(world)
            : replicas
                  .Get(static_cast<int>(random_.Below(static_cast<std::uint64_t>(replicas.size()))))
                  .node_id();
    rpc::ReplicaChange& change = *command.mutable_change_replicas()->add_changes();
    change = world->Change(version, chunk, AnyNode(world), state, random_.OneIn(1, 2) ? named : 0);
    change.set_is_move(random_.OneIn(2, 3));
  }
  return command;
}

rpc::Command RandomCommands::Purge(World* world) {
  rpc::Command command;
  command.mutable_purge();
  world->machine->View()->ListTrashed([&](const rpc::VersionRow& version) {
    rpc::PurgeVersion* purge = command.mutable_purge()->add_versions();
    *purge->mutable_txn() = version.txn();
    purge->set_trashed_index(version.trashed_index() + (random_.OneIn(1, 5) ? 1 : 0));
    return random_.OneIn(2, 3);
  });
  return command;
}

rpc::Command RandomCommands::Unlink(World* world) {
  rpc::Command command;
  const std::uint32_t node = AnyNode(world);
  command.mutable_unlinked()->set_node_id(node);
  const auto some = [&](const ChunkId& chunk) {
    if (random_.OneIn(1, 2)) *command.mutable_unlinked()->add_chunks() = ToWire(chunk);
    return true;
  };
  world->machine->View()->ListPurged(NodeId(node), some);
  world->machine->View()->ListReleased(NodeId(node), some);
  return command;
}

rpc::Command RandomCommands::Make(World* world) {
  rpc::Command command;
  const auto kind = random_.Below(100);
  if (kind < 9) return Node(world);
  if (kind < 50) return Put(world);
  if (kind < 60) return Change(world);
  if (kind < 63) return Bucket(world);
  if (kind < 65) {
    *command.mutable_settle()->mutable_request_id() = Request(world);
  } else if (kind < 80) {
    return Replicas(world);
  } else if (kind < 85) {
    return Purge(world);
  } else if (kind < 90) {
    return Unlink(world);
  } else if (kind < 93) {
    *command.mutable_clear_prefix()->mutable_request_id() = Request(world);
    command.mutable_clear_prefix()->set_bucket_id(AnyBucket(world).value());
    command.mutable_clear_prefix()->set_prefix(random_.OneIn(1, 3)   ? ""
                                               : random_.OneIn(1, 2) ? "d/"
                                                                     : Name());
  } else if (kind < 98) {
    command.mutable_clear_step()->set_rows(static_cast<std::uint32_t>(random_.Below(4)));
  } else if (kind < 99) {
    const std::uint64_t now = world->machine->applied_index().value();
    command.mutable_expire_sessions()->set_unused_since(now - random_.Below(now) / 4);
    command.mutable_expire_sessions()->set_frontier(random_.Below(now / 2 + 1));
  }
  return command;  // of no kind: one in a hundred
}

rpc::Command RandomCommands::Next(World* world) {
  if (random_.OneIn(1, 50)) world->term = world->term.Next();
  rpc::Command command;
  if (!made_.empty() && random_.OneIn(1, 8)) {
    const std::size_t back = std::min<std::size_t>(made_.size(), 40);
    command = made_[made_.size() - 1 - random_.Below(back)];  // of an older term perhaps: rule R13
    if (command.has_commit_put() && random_.OneIn(1, 2)) {    // the next attempt of the same request
      *command.mutable_commit_put()->mutable_txn() = ToWire(world->NextTxn());
    }
    if (command.has_commit_put() && random_.OneIn(1, 5)) {
      const api::RequestId request = command.commit_put().request_id();
      *command.mutable_settle()->mutable_request_id() = request;
    }
    command.clear_time_us();
  } else {
    command = Make(world);
  }
  made_.push_back(command);
  return command;
}

}  // namespace dfs::metadata
