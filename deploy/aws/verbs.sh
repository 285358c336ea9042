# shellcheck shell=bash
# What an operator asks for. Each verb says what it is about to do, asks, and then makes true what is not true yet, so that a second run
# does nothing and an interrupted one is gone on with. Sourced by dfs-aws.

# The price of what is not an instance, at AWS's list prices of us-east-1 (0.08 USD for a GiB of gp3, 7.30 for an endpoint in a zone).
cost_of() {  # NODES VOLUME_GIB ZONES
  local cents=$(($1 * ($2 + 16) * 8 + $3 * 2 * 730))
  printf '%d.%02d' $((cents / 100)) $((cents % 100))
}
names_up_to() {
  local n list=""
  for ((n = 1; n <= $1; n++)); do list+="${list:+ }n$n"; done
  echo "$list"
}
# An option that was given must say what the cluster already is.
same_as_given() {
  local key
  for key in "${!given[@]}"; do
    case $key in
      node_count) [[ ${given[$key]} == "$(wc -w <<<"${settings[nodes]}")" ]] ||
        fail "cluster $cluster has the nodes ${settings[nodes]}: use grow or shrink" ;;
      *) [[ ${given[$key]} == "${settings[$key]}" ]] ||
        fail "cluster $cluster was created with --${key//_/-}='${settings[$key]}'; create does not change that (upgrade changes the artefact)" ;;
    esac
  done
}

# Those that were given, else the first three; zones that have such instances, before anything is made in one that has not.
choose_zones() {
  local zone wanted=${settings[zones]} chosen=""
  ask ec2 describe-instance-type-offerings --location-type availability-zone \
    --filters "Name=instance-type,Values=${settings[instance_type]}" --query 'InstanceTypeOfferings[].[Location]'
  local offering=" ${reply//$'\n'/ } "
  if [[ -z $wanted ]]; then
    ask ec2 describe-availability-zones --filters Name=state,Values=available Name=zone-type,Values=availability-zone \
      --query 'AvailabilityZones[].[ZoneName]'
    wanted=${reply//$'\n'/ }
  fi
  for zone in $wanted; do
    if [[ $offering == *" $zone "* ]]; then
      if (($(wc -w <<<"$chosen") < 3)) || [[ -n ${settings[zones]} ]]; then chosen+="${chosen:+ }$zone"; fi
    elif [[ -n ${settings[zones]} ]]; then
      fail "zone $zone has no ${settings[instance_type]}; those that have:$offering"
    fi
  done
  (($(wc -w <<<"$chosen") >= 3)) || [[ -n ${settings[zones]} ]] ||
    fail "fewer than three zones of $AWS_REGION have ${settings[instance_type]} (${chosen:-none}): say --zones=… or another --instance-type"
  settings[zones]=$chosen
}
choose_settings() {
  local key count architecture
  for key in artifact sha256; do
    [[ -n ${given[$key]:-} ]] || usage "create needs --$key=… (deploy/aws/make-artifact prints both)"
  done
  settings=([cidr]=10.73.0.0/16 [instance_type]=m6i.large [volume_gib]=200 [is_formed]=no [leaving]="" [replacing]="" [root_device]="" [zones]="" [image]="")
  for key in "${!given[@]}"; do
    if [[ $key != node_count ]]; then settings["$key"]=${given["$key"]}; fi
  done
  settings[clients]=${given[clients]:-${settings[cidr]}}
  [[ ${settings[clients]} != */0 ]] || usage "--clients=${settings[clients]} would be the whole Internet"
  choose_zones
  if [[ -z ${settings[image]} ]]; then
    ask ssm get-parameters --names /aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64 --query 'Parameters[].Value'
    settings[image]=$reply
  fi
  ask ec2 describe-images --image-ids "${settings[image]}" --query 'Images[].[RootDeviceName,Architecture]'
  read -r key architecture <<<"$reply" || true
  settings[root_device]=$key
  [[ $architecture == x86_64 ]] || fail "image ${settings[image]} is for ${architecture:-nothing known}; the programs are built for x86_64"
  count=${given[node_count]:-3}
  ((count >= 3)) || usage "--nodes=$count: three copies need three nodes"
  settings[nodes]=$(names_up_to "$count")
  for key in "${setting_names[@]}"; do check_setting "$key" "${settings[$key]}"; done
}

verb_create() {
  local node count zone_list is_new=0
  if load_settings; then
    same_as_given
    say "cluster $cluster is known: makes what is missing"
  else
    is_new=1
    choose_settings
  fi
  zones
  count=$(wc -w <<<"${settings[nodes]}")
  plan "Cluster $cluster in $AWS_REGION, with what is there already left alone:
  a network ${settings[cidr]} of its own without any way to the Internet, a subnet in each of ${settings[zones]};
  $count nodes (${settings[nodes]}): ${settings[instance_type]}, image ${settings[image]}, each with an encrypted volume of ${settings[volume_gib]} GiB that
  outlives it; clients come from ${settings[clients]} to ports $client_port and $http_port; keys are kept in SSM under /dfs/$cluster.
It costs, at AWS's list prices: $count instances by the hour, and about $(cost_of "$count" "${settings[volume_gib]}" "${#zone_list[@]}") USD a month for volumes and endpoints."
  confirm
  if ((is_new)); then store_settings; fi
  ensure_account
  find_parameter_key
  ensure_network
  find_parameters
  find_roles
  ensure_authority
  ensure_template
  find_nodes
  ensure_new_nodes
  if [[ ${settings[is_formed]} == no ]]; then
    node=${settings[nodes]%% *}
    wait_online "$node"
    need_on_node "$node" "$setup_seconds" "$node_program wait $setup_seconds ${settings[nodes]}"
    mark_used
    set_settings is_formed yes
  fi
  say "cluster $cluster is there; its nodes listen at $(client_addresses)"
}
# Whatever is missing of nodes that have not been in use yet. One that has been and lacks its instance is left to `replace`.
ensure_new_nodes() {
  local node
  for node in ${settings[nodes]}; do
    if [[ -z ${is_used[$node]:-} ]]; then
      ensure_node "$node"
    elif [[ -z ${instances[$node]:-} ]]; then
      say "$node has lost its instance: run dfs-aws replace $cluster $node"
    fi
  done
}
client_addresses() {
  local node list=""
  for node in ${settings[nodes]}; do list+="${list:+,}$(address_of "$node"):$client_port"; done
  echo "$list"
}

verb_status() {
  local node
  need_settings
  find_nodes
  printf '%-5s %-16s %-13s %-20s %-13s %-22s %-10s %s\n' node zone address instance state volume state release
  for node in ${settings[nodes]}; do
    printf '%-5s %-16s %-13s %-20s %-13s %-22s %-10s %.12s\n' "$node" "$(zone_of "$node")" "$(address_of "$node")" \
      "${instances[$node]:--}" "${instance_states[$node]:--}" "${volumes[$node]:--}" "${volume_states[$node]:--}" "${releases[$node]:--}"
  done
  if [[ ${settings[is_formed]} == no ]]; then say "it is not complete: run create again"; fi
  if [[ -n ${settings[leaving]} ]]; then say "${settings[leaving]} is leaving: run shrink ${settings[leaving]} again"; fi
  if [[ -n ${settings[replacing]} ]]; then say "${settings[replacing]%%:*} is being replaced: run replace ${settings[replacing]%%:*} again"; fi
  if ! pick_speaker; then
    say "no node that runs answers to SSM, so the cluster itself was not asked"
    return 1
  fi
  need_on_node "$speaker" 60 "$node_program observe"
  printf '\nas %s sees it (name, state, role, id; then health, leader, copies missing, files):\n%s\n' "$speaker" "$reply"
  ((is_dry)) || [[ $reply == *$'\n'"cluster OK "* ]]
}

# No two changes of members at once; the one that was interrupted may go on.
need_quiet() {
  local pending
  need_settings
  [[ ${settings[is_formed]} == yes ]] || fail "cluster $cluster is not complete: run create again first"
  pending=${settings[leaving]:+shrink ${settings[leaving]}}
  pending+=${settings[replacing]:+replace ${settings[replacing]%%:*}}
  if [[ -n $pending && $pending != "$verb ${1:-}" ]]; then
    fail "an earlier command was interrupted: run dfs-aws ${pending/ / $cluster } again first"
  fi
}
# What an interrupted grow has not finished counts: --to=N is how many there are to be.
# What create has made, for a new instance of a cluster that is there.
find_what_nodes_need() {
  ensure_account
  find_parameter_key
  find_vpc
  find_subnets
  find_groups
  find_parameters
  find_roles
  find_template
}

verb_grow() {
  local target n list
  need_quiet
  target=${given[to]:-}
  [[ -n $target ]] || usage "grow needs --to=N: how many nodes there are to be"
  ((target >= $(wc -w <<<"${settings[nodes]}") && target <= nodes_max)) ||
    usage "--to=$target: there are $(wc -w <<<"${settings[nodes]}") nodes, and $nodes_max at most"
  list=${settings[nodes]}
  for ((n = 1; $(wc -w <<<"$list") < target; n++)); do
    if [[ " $list " != *" n$n "* ]]; then list+=" n$n"; fi
  done
  plan "Cluster $cluster will have $target nodes: $list.
Each new one costs an instance (${settings[instance_type]}) by the hour and about $(cost_of 1 "${settings[volume_gib]}" 0) USD a month for its volumes.
The cluster then moves copies to it by itself."
  confirm
  find_nodes
  need_speaker
  set_settings nodes "$list"
  find_what_nodes_need
  ensure_new_nodes
  need_on_node "$speaker" "$member_seconds" "$node_program wait $member_seconds ${settings[nodes]}"
  mark_used
  say "cluster $cluster has $target nodes"
}

verb_shrink() {
  local node=${operand:?}
  need_quiet "$node"
  has_node "$node" || fail "cluster $cluster has no $node: ${settings[nodes]}"
  (($(wc -w <<<"${settings[nodes]}") > 3)) || fail "three copies need three nodes, so none of ${settings[nodes]} can go; destroy ends the cluster"
  plan "Node $node hands its copies over to the others and leaves cluster $cluster; then its instance, volume, keys and role are deleted.
The others need space for what it holds. Nothing is lost; it takes as long as the copies take."
  confirm
  find_nodes
  find_parameters
  find_roles
  need_speaker "$node"
  if [[ ${settings[leaving]} != "$node" ]]; then
    need_on_node "$speaker" 120 "$node_program cli ok-to-stop $node"
    set_settings leaving "$node"
  fi
  need_on_node "$speaker" "$member_seconds" "$node_program let-go $node"
  terminate "$node"
  delete_volume "$node"
  delete_parameter "$(keys_path "$node")"
  delete_role "$(role_of "$node")"
  # shellcheck disable=SC2046,SC2086  # names
  set_settings nodes "$(without "$node" ${settings[nodes]})" leaving ""
  say "$node has left; cluster $cluster has ${settings[nodes]}"
}
without() {
  local gone=$1 word list=""
  shift
  for word in "$@"; do
    if [[ $word != "$gone" ]]; then list+="${list:+ }$word"; fi
  done
  echo "$list"
}

verb_replace() {
  local node=${operand:?} status=0
  need_quiet "$node"
  has_node "$node" || fail "cluster $cluster has no $node: ${settings[nodes]}"
  find_nodes
  if [[ -n ${volumes[$node]:-} ]]; then
    plan "Node $node of cluster $cluster gets a new instance; the old one (${instances[$node]:-gone already}) is terminated. Its volume ${volumes[$node]} goes
over to the new one, so it comes back as the same node with everything it holds. It costs what the old one cost."
  else
    ((is_volume_lost)) || fail "the volume of $node is gone. If that is so for good, say --volume-lost: the node begins with an empty one, and" \
      "its copies are made anew from the others"
    plan "Node $node of cluster $cluster gets a new instance and a new, empty volume of ${settings[volume_gib]} GiB; the old instance
(${instances[$node]:-gone already}) is terminated. The others make its copies anew. What only $node held is lost."
  fi
  confirm
  need_speaker "$node"
  if [[ -z ${settings[replacing]} ]]; then
    on_node "$speaker" 120 "$node_program cli ok-to-stop $node" || status=$?
    if ((status != 0 && !is_forced)); then
      fail "the others cannot do without $node now (exit status $status): ${reply:-no output}. Say --force if it is dead anyway"
    fi
    set_settings replacing "$node:${instances[$node]:-none}"
  fi
  find_what_nodes_need
  # After an interruption the new one may be there already.
  if [[ ${settings[replacing]#*:} == "${instances[$node]:-}" ]]; then terminate "$node"; fi
  ensure_node "$node"
  wait_online "$node"
  need_on_node "$speaker" "$setup_seconds" "$node_program wait-alive $setup_seconds $node"
  need_on_node "$speaker" 600 "$node_program settle $node"
  need_on_node "$speaker" "$member_seconds" "$node_program wait $member_seconds ${settings[nodes]}"
  mark_used
  set_settings replacing ""
  say "$node is back"
}

verb_upgrade() {
  local zone zone_list node
  need_quiet
  [[ -n ${given[artifact]:-} && -n ${given[sha256]:-} ]] || usage "upgrade needs --artifact=… and --sha256=…"
  plan "The nodes of cluster $cluster get release ${given[sha256]:0:12} (${given[artifact]}), zone after zone. A node restarts only while the
others can do without it and no copy is missing; one that does not get ready goes back to the release it had, and the upgrade stops. It costs nothing."
  confirm
  find_nodes
  need_speaker
  set_settings artifact "${given[artifact]}" sha256 "${given[sha256]}"
  ensure_account
  find_parameter_key
  find_roles
  for node in ${settings[nodes]}; do ensure_role "$node"; done
  zones
  for zone in "${zone_list[@]}"; do
    for node in ${settings[nodes]}; do
      if [[ $(zone_of "$node") == "$zone" && ${releases[$node]:-} != "${settings[sha256]}" ]]; then upgrade_node "$node"; fi
    done
  done
  say "all nodes of cluster $cluster run release ${settings[sha256]:0:12}"
}
# restart_node NODE WHAT: has dfs-node do WHAT, which restarts the server, while the others can do without it, and returns when all are back.
restart_node() {
  local node=$1 what=$2
  [[ -n ${instances[$node]:-} ]] || fail "$node has no instance: run replace $node first"
  need_speaker "$node"
  need_on_node "$speaker" "$member_seconds" "$node_program wait $member_seconds ${settings[nodes]}"
  need_on_node "$speaker" 120 "$node_program cli ok-to-stop $node"
  need_on_node "$node" 2000 "$node_program $what"
  need_on_node "$speaker" "$member_seconds" "$node_program wait $member_seconds ${settings[nodes]}"
}
upgrade_node() {
  local node=$1
  restart_node "$node" "upgrade ${settings[artifact]} ${settings[sha256]}"
  change none ec2 create-tags --resources "${instances[$node]}" --tags "Key=dfs:release,Value=${settings[sha256]}"
}

# Certificates of nodes hold for a year; `status` warns from 30 days before.
verb_renew() {
  local node
  need_quiet
  plan "The nodes of cluster $cluster get new keys and certificates, one after another; each restarts while the others can do without it. Clients keep
theirs. It costs nothing."
  confirm
  find_nodes
  need_speaker
  find_parameters
  for node in ${settings[nodes]}; do
    store_new_keys "$node" over
    restart_node "$node" renew
  done
  say "all nodes of cluster $cluster have new certificates"
}

verb_client() {
  need_settings
  [[ -n ${given[dir]:-} ]] || usage "client needs --dir=D: where key and certificate are put"
  issue_client "$operand" "${given[dir]}"
  say "for dfs-cli: DFS_ENDPOINTS=$(client_addresses) DFS_TLS_CERT=${given[dir]}/$operand.crt DFS_TLS_KEY=${given[dir]}/$operand.key" \
    "DFS_TLS_CA=${given[dir]}/ca.crt"
}

verb_destroy() {
  local node role name files=unknown all=()
  if ! load_settings; then
    say "there is no cluster called $cluster in region $AWS_REGION: nothing to do"
    return 0
  fi
  find_nodes
  if ((!destroys_data)); then
    ((${#volumes[@]} == 0)) || {
      if pick_speaker && on_node "$speaker" 60 "$node_program observe"; then files=$(awk '$1 == "cluster" { print $5 }' <<<"$reply"); fi
      if ((is_dry)); then files=0; fi
      [[ $files == 0 ]] || fail "cluster $cluster holds files (${files:-unknown}): nothing was done. Say --destroy-data if they may be lost for good"
    }
  fi
  plan "Cluster $cluster in $AWS_REGION is deleted: instances (${instances[*]:-none}), VOLUMES WITH ALL DATA (${volumes[*]:-none}), network, roles,
keys and settings. This cannot be undone."
  confirm
  # Also those that the settings do not name (any more), in the order of their numbers.
  mapfile -t all < <(printf '%s\n' "${!instances[@]}" "${!volumes[@]}" | sort -uV | sed '/^$/d')
  for node in "${all[@]}"; do begin_termination "$node"; done
  for node in "${all[@]}"; do terminate "$node" && delete_volume "$node"; done
  find_template
  if [[ -n $template ]]; then change none ec2 delete-launch-template --launch-template-id "$template"; fi
  delete_network
  find_roles
  for role in $roles; do delete_role "$role"; done
  find_parameters
  # The settings last: while they are there, destroy can be run again.
  for name in $parameters; do
    if [[ $name != "$(settings_path)" ]]; then delete_parameter "$name"; fi
  done
  change none ssm delete-parameter --name "$(settings_path)"
  say "cluster $cluster is gone"
}
