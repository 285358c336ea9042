# shellcheck shell=bash
# The machines of a cluster: for each node a volume that outlives every instance, and the instance that has it now; and how
# programs are run on them. Sourced by dfs-aws.

readonly device=/dev/sdf  # how EC2 calls the data volume; the node finds it by its id
template=""
# By node: instance id, its state, release; volume id, its state, the instance that has it.
declare -A instances=() instance_states=() releases=() volumes=() volume_states=() holders=() is_used=()

find_template() {
  ask ec2 describe-launch-templates --filters "$cluster_filter" --query 'LaunchTemplates[].LaunchTemplateId'
  one 'launch template'
  template=$reply
}
# What all instances have in common. Tokens only, and none beyond the machine itself: a program that can be made to fetch an
# address (or a container) does not get at the role's credentials.
template_data() {
  printf '{"ImageId":"%s","InstanceType":"%s","EbsOptimized":true,' "${settings[image]}" "${settings[instance_type]}"
  printf '"MetadataOptions":{"HttpEndpoint":"enabled","HttpTokens":"required","HttpPutResponseHopLimit":1,"InstanceMetadataTags":"disabled"},'
  printf '"InstanceInitiatedShutdownBehavior":"stop",'
  printf '"BlockDeviceMappings":[{"DeviceName":"%s","Ebs":{"Encrypted":true,"VolumeType":"gp3","VolumeSize":16,"DeleteOnTermination":true}}]}' \
    "${settings[root_device]}"
}
ensure_template() {
  find_template
  if [[ -n $template ]]; then return 0; fi
  template_data >"$scratch/template"
  change lt ec2 create-launch-template --launch-template-name "dfs-$cluster" --launch-template-data "file://$scratch/template" \
    --tag-specifications "$(tags_of launch-template node)" --query LaunchTemplate.LaunchTemplateId
  template=$reply
}

find_volumes() {
  local node id state holder use
  volumes=() volume_states=() holders=() is_used=()
  ask ec2 describe-volumes --filters "$cluster_filter" Name=tag-key,Values=dfs:node \
    --query "Volumes[].[Tags[?Key=='dfs:node']|[0].Value,VolumeId,State,Attachments[0].InstanceId,Tags[?Key=='dfs:used']|[0].Value]"
  while read -r node id state holder use; do
    if [[ -z $node || $state == delet* ]]; then continue; fi
    [[ -z ${volumes[$node]:-} ]] || fail "node $node has two volumes, ${volumes[$node]} and $id: look which one holds its" \
      "data, and remove the tag dfs:node from the other"
    volumes[$node]=$id volume_states[$node]=$state holders[$node]=$holder
    if [[ $use == yes ]]; then is_used[$node]=yes; fi
  done <<<"$reply"
}
find_instances() {
  local node id state release
  instances=() instance_states=() releases=()
  ask ec2 describe-instances --filters "$cluster_filter" Name=instance-state-name,Values=pending,running,shutting-down,stopping,stopped \
    --query "Reservations[].Instances[].[Tags[?Key=='dfs:node']|[0].Value,InstanceId,State.Name,Tags[?Key=='dfs:release']|[0].Value]"
  while read -r node id state release; do
    if [[ -z $node ]]; then continue; fi
    instances[$node]=$id instance_states[$node]=$state releases[$node]=$release
  done <<<"$reply"
}
find_nodes() { find_volumes && find_instances; }

ensure_volume() {
  local node=$1
  if [[ -n ${volumes[$node]:-} ]]; then return 0; fi
  change "vol-$node" ec2 create-volume --availability-zone "$(zone_of "$node")" --volume-type gp3 --size "${settings[volume_gib]}" --encrypted \
    --tag-specifications "$(tags_of volume "$node" dfs:node "$node")" --query VolumeId
  volumes[$node]=$reply volume_states[$node]=creating
}
# A volume of a node that has once been a member: never to be formatted again, whatever can or cannot be read there.
mark_used() {
  local node fresh=()
  for node in ${settings[nodes]}; do
    if [[ -n ${volumes[$node]:-} && -z ${is_used[$node]:-} ]]; then
      fresh+=("${volumes[$node]}")
      is_used[$node]=yes
    fi
  done
  if ((${#fresh[@]} > 0)); then change none ec2 create-tags --resources "${fresh[@]}" --tags Key=dfs:used,Value=yes; fi
}
user_data() {
  local node=$1 bootstrap="" format=if-empty
  if [[ -n ${is_used[$node]:-} ]]; then format=never; fi
  if [[ ${settings[is_formed]} == no && $node == "${settings[nodes]%% *}" ]]; then bootstrap=--bootstrap; fi
  render "$here/user-data.in" CLUSTER "$cluster" NODE "$node" ZONE "$(zone_of "$node")" REGION "$AWS_REGION" \
    LISTEN "$(address_of "$node"):$client_port" PEER_LISTEN "$(address_of "$node"):$peer_port" \
    HTTP_LISTEN "$(address_of "$node"):$http_port" JOIN "$(peers_but "$node")" BOOTSTRAP "$bootstrap" \
    VOLUME "${volumes[$node]}" FORMAT "$format" ARTIFACT "${settings[artifact]}" SHA256 "${settings[sha256]}" \
    KEYS "$(keys_path "$node")" NODE_PROGRAM "$(<"$here/dfs-node")"
}
ensure_instance() {
  local node=$1 size network
  if [[ -n ${instances[$node]:-} ]]; then return 0; fi
  user_data "$node" >"$scratch/user-data"
  size=$(wc -c <"$scratch/user-data")
  ((size <= user_data_bytes_max)) || fail "the user data of $node have $size bytes, and EC2 takes $user_data_bytes_max"
  network="{\"DeviceIndex\":0,\"SubnetId\":\"${subnets[$(zone_of "$node")]}\",\"Groups\":[\"$nodes_group\"]"
  network+=",\"PrivateIpAddress\":\"$(address_of "$node")\",\"AssociatePublicIpAddress\":false,\"DeleteOnTermination\":true}"
  change "i-$node" ec2 run-instances --count 1 \
    --launch-template "LaunchTemplateId=$template,Version=\$Latest" --iam-instance-profile "Name=$(role_of "$node")" \
    --network-interfaces "[$network]" --user-data "file://$scratch/user-data" \
    --tag-specifications "$(tags_of instance "$node" dfs:node "$node" dfs:release "${settings[sha256]}")" \
    --query 'Instances[0].InstanceId'
  instances[$node]=$reply instance_states[$node]=pending
}
is_instance() {  # ID STATE
  ask ec2 describe-instances --instance-ids "$1" --query 'Reservations[].Instances[].State.Name'
  [[ $reply == "$2" ]]
}
is_volume() {  # ID STATE
  ask ec2 describe-volumes --volume-ids "$1" --query 'Volumes[].State'
  [[ $reply == "$2" ]]
}
ensure_attached() {
  local node=$1
  local instance=${instances[$node]} volume=${volumes[$node]}
  if [[ ${holders[$node]:-} == "$instance" ]]; then return 0; fi
  wait_until "$thing_seconds" "$node ($instance) runs" is_instance "$instance" running
  wait_until "$thing_seconds" "the volume of $node ($volume) is free" is_volume "$volume" available
  change none ec2 attach-volume --volume-id "$volume" --instance-id "$instance" --device "$device" --query State
  holders[$node]=$instance
}
# Everything that one node needs. find_nodes, find_parameters and find_roles come first.
ensure_node() {
  ensure_keys "$1"
  ensure_role "$1"
  ensure_volume "$1"
  ensure_instance "$1"
  ensure_attached "$1"
}
begin_termination() {
  local node=$1
  if [[ -z ${instances[$node]:-} || ${instance_states[$node]} == shutting-down ]]; then return 0; fi
  change none ec2 terminate-instances --instance-ids "${instances[$node]}" --query 'TerminatingInstances[].CurrentState.Name'
  instance_states[$node]=shutting-down
}
terminate() {
  local node=$1
  begin_termination "$node"
  if [[ -z ${instances[$node]:-} ]]; then return 0; fi
  wait_until "$thing_seconds" "$node (${instances[$node]}) is gone" is_instance "${instances[$node]}" terminated
  unset "instances[$node]" "instance_states[$node]"
}
delete_volume() {
  local node=$1
  if [[ -z ${volumes[$node]:-} ]]; then return 0; fi
  wait_until "$thing_seconds" "the volume of $node (${volumes[$node]}) is free" is_volume "${volumes[$node]}" available
  change none ec2 delete-volume --volume-id "${volumes[$node]}"
  unset "volumes[$node]" "volume_states[$node]"
}

# ---- programs on nodes, through SSM: no port is open for it, and AWS keeps a record of who ran what ----

is_online() {
  ask ssm describe-instance-information --filters "Key=InstanceIds,Values=$1" --query 'InstanceInformationList[].PingStatus'
  [[ $reply == Online ]]
}
wait_online() { wait_until "$setup_seconds" "$1 (${instances[$1]}) answers to SSM" is_online "${instances[$1]}"; }

has_ended() {
  ask ssm list-command-invocations --command-id "$1" --query 'CommandInvocations[].Status'
  case $reply in '' | Pending | InProgress | Delayed | Cancelling) return 1 ;; esac
}
# on_node NODE SECONDS COMMAND: runs it as root there, leaves its output in `reply` and returns its exit status. In a dry run
# it says so and succeeds.
on_node() {
  local node=$1 seconds=$2 line=$3 id status
  local instance=${instances[$node]:-}
  if ((is_dry)); then
    printf 'would: on %s: %s\n' "$node" "$line"
    reply=""
    return 0
  fi
  [[ -n $instance ]] || fail "$node has no instance"
  change none ssm send-command --instance-ids "$instance" --document-name AWS-RunShellScript --comment "dfs-aws $cluster: $verb" \
    --timeout-seconds 300 --parameters "{\"commands\":[$(json_string "$line")],\"executionTimeout\":[\"$seconds\"]}" --query Command.CommandId
  id=$reply
  wait_until $((seconds + 300)) "$node: $line" has_ended "$id"
  ask ssm get-command-invocation --command-id "$id" --instance-id "$instance" --query ResponseCode
  status=$reply
  # -1: it never ran, or did not end in time.
  if [[ ! $status =~ ^[0-9]+$ ]]; then status=255; fi
  if ((status == 0)); then
    ask ssm get-command-invocation --command-id "$id" --instance-id "$instance" --query StandardOutputContent
  else
    ask ssm get-command-invocation --command-id "$id" --instance-id "$instance" --query '[StandardOutputContent,StandardErrorContent]'
  fi
  return "$status"
}
# The same; a failure ends dfs-aws.
need_on_node() {
  local status=0
  on_node "$@" || status=$?
  if ((status != 0)); then
    fail "on $1, '$3' failed (exit status $status): ${reply:-no output}. Put that right and run the same command again"
  fi
}
# A node to ask about the others: the first that runs, answers to SSM, and is not among the arguments.
pick_speaker() {
  local node
  speaker=""
  for node in ${settings[nodes]}; do
    if is_among "$node" "$@" || [[ ${instance_states[$node]:-} != running ]]; then continue; fi
    if is_online "${instances[$node]}" || ((is_dry)); then speaker=$node && return 0; fi
  done
  return 1
}
need_speaker() { pick_speaker "$@" || fail "no node that runs answers to SSM: look at the instances (dfs-aws status $cluster)"; }
