# shellcheck shell=bash
# What all commands of dfs-aws share: how AWS is called, how things are waited for, names and numbers of a cluster,
# and the renderer of templates. Sourced by dfs-aws; nothing here is run by itself.

readonly poll_seconds=${DFS_AWS_POLL_SECONDS:-5}
# Until AWS has made, started, stopped or deleted one thing.
readonly thing_seconds=900
# Until an instance has set itself up and speaks with the operator.
readonly setup_seconds=1200
# Until all of AWS knows of a thing that was made.
readonly known_seconds=120
# Until a program on a node has ended; copies of a large node take hours.
readonly member_seconds=172000
readonly nodes_max=99
readonly user_data_bytes_max=16384  # of EC2

readonly client_port=7710 peer_port=7711 http_port=7712

say() { printf 'dfs-aws: %s\n' "$*" >&2; }
fail() { say "$@"; exit 1; }
usage() { say "$@"; say "see: $0 --help"; exit 64; }

pause() { if [[ $poll_seconds != 0 ]]; then sleep "$poll_seconds"; fi; }

# ---- calls ----

is_dry=0
changes=0  # calls that changed something, or would have
reply=""   # what the last call answered, as text

# A command line that a reader could paste.
quoted() {
  local word line=""
  for word in "$@"; do
    if [[ $word =~ ^[A-Za-z0-9_./:=,@%+-]+$ ]]; then line+=" $word"; else line+=" '${word//\'/\'\\\'\'}'"; fi
  done
  printf '%s' "${line# }"
}
# Runs a call. What was made a moment ago is not known everywhere in AWS yet: an answer "there is no such thing", which says
# that nothing happened, is asked for again, for a while.
call() {
  local status end=$((SECONDS + known_seconds))
  while true; do
    status=0
    reply=$(aws "$@" --output text 2>"$scratch/error") || status=$?
    if [[ $reply == None ]]; then reply=""; fi
    if ((status == 0)); then return 0; fi
    if ((SECONDS >= end)) || ! is_unknown_yet "$(<"$scratch/error")"; then return "$status"; fi
    pause
  done
}
is_unknown_yet() {
  case $1 in *.NotFound* | *NoSuchEntity* | *'Invalid IAM Instance Profile'*) ;; *) return 1 ;; esac
}
# Says which call failed, what AWS answered, and what to do; ends.
stop_at_call() {
  local status=$1 error
  shift
  error=$(<"$scratch/error")
  say "this call failed (exit status $status):"
  printf '  aws %s\n' "$(quoted "$@")" >&2
  printf '  %s\n' "${error:-(no message)}" >&2
  case $error in
    *UnauthorizedOperation* | *AccessDenied*) say "your AWS identity lacks the right to do this: deploy/aws/README.md lists the rights" ;;
    *ExpiredToken* | *RequestExpired* | *'Unable to locate credentials'*) say "your AWS session is over or missing: log in again" ;;
    *Throttling* | *RequestLimitExceeded*) say "AWS asks to slow down: try again in a minute" ;;
    *LimitExceeded*) say "a quota of this account is used up: raise it, or take another region" ;;
    *InsufficientInstanceCapacity*) say "the zone has no such machine now: try again later" ;;
  esac
  say "what was made before it stays, with the tag dfs:cluster=$cluster. Put right what the message names, then run the" \
    "same command again: it goes on where it stopped"
  exit 1
}
# A call that only reads. A dry run makes it too, unless it is about something that only would have been made.
ask() {
  local status=0
  if ((is_dry)); then
    printf 'asks:  aws %s\n' "$(quoted "$@")"
    if [[ $* == *"new-"*":dry-run"* ]]; then reply="" && return 0; fi
  fi
  call "$@" || status=$?
  if ((status != 0)); then stop_at_call "$status" "$@"; fi
}
# A call that changes something; the first word names what it makes, for a dry run.
change() {
  local status=0 makes=$1
  shift
  changes=$((changes + 1))
  if ((is_dry)); then
    printf 'would: aws %s\n' "$(quoted "$@")"
    reply="new-$makes:dry-run"
    return 0
  fi
  call "$@" || status=$?
  if ((status != 0)); then stop_at_call "$status" "$@"; fi
}
# wait_until SECONDS WHAT FUNCTION ARGUMENT…: until the function says yes.
wait_until() {
  local limit=$1 what=$2 end=$((SECONDS + $1)) said=0
  shift 2
  if ((is_dry)); then
    printf 'waits: %s (at most %s s)\n' "$what" "$limit"
    return 0
  fi
  until "$@"; do
    if ((SECONDS >= end)); then
      fail "gave up waiting after $limit s: $what. Nothing was undone; run the same command again to wait on," \
        "or look: $0 status $cluster"
    fi
    if ((!said)); then say "waits: $what" && said=1; fi
    pause
  done
}
# Shows the plan and asks; --yes and a dry run go on.
confirm() {
  local answer
  if ((is_dry || is_confirmed)); then return 0; fi
  [[ -t 0 ]] || usage "say --yes to go on without being asked"
  printf 'Type the name of the cluster (%s) to go on: ' "$cluster" >&2
  read -r answer || true
  [[ $answer == "$cluster" ]] || fail "that is not its name; nothing was changed"
}
plan() { printf '%s\n' "$*" >&2; }

# ---- tags and JSON ----

# All values come from AWS or were checked; quotes and backslashes are escaped all the same.
json_string() {
  local text=${1//\\/\\\\}
  text=${text//\"/\\\"}
  text=${text//$'\n'/\\n}
  printf '"%s"' "${text//$'\t'/\\t}"
}
# tags_of RESOURCE_TYPE NAME [KEY VALUE]…: for --tag-specifications.
tags_of() {
  local type=$1 list="{\"Key\":\"Name\",\"Value\":\"dfs-$cluster-$2\"},{\"Key\":\"dfs:cluster\",\"Value\":\"$cluster\"}"
  shift 2
  while (($# > 0)); do
    list+=",{\"Key\":\"$1\",\"Value\":\"$2\"}"
    shift 2
  done
  printf '[{"ResourceType":"%s","Tags":[%s]}]' "$type" "$list"
}
# Set by dfs-aws beside the name: cluster_filter, for what belongs to this cluster.
# The one thing that `reply` names, or nothing; more than one is for people to look at.
one() {
  local words
  read -r -a words <<<"${reply//$'\n'/ }" || true
  if ((${#words[@]} > 1)); then
    fail "there are ${#words[@]} of what must be one ($1): ${words[*]}; delete those that are not used"
  fi
  reply=${words[0]:-}
}

# ---- settings: what the cluster is to be. One SSM parameter; everything else is found by tags ----

declare -A settings=()
readonly setting_names=(zones cidr clients image root_device instance_type volume_gib artifact sha256 nodes is_formed leaving replacing)

# What each may look like. It goes into JSON, user data and command lines: nothing else may.
pattern_of() {
  case $1 in
    zones) echo '^[a-z]{2}(-[a-z]+)+-[0-9][a-z]( [a-z]{2}(-[a-z]+)+-[0-9][a-z]){0,5}$' ;;
    cidr) echo '^10\.[0-9]{1,3}\.0\.0/16$' ;;
    clients) echo '^[0-9]{1,3}(\.[0-9]{1,3}){3}/[0-9]{1,2}$' ;;
    image) echo '^ami-[0-9a-f]{8,17}$' ;;
    root_device) echo '^/dev/[a-z0-9]{3,5}$' ;;
    instance_type) echo '^[a-z][a-z0-9-]{1,15}\.[a-z0-9-]{2,15}$' ;;
    volume_gib) echo '^[1-9][0-9]{0,4}$' ;;
    artifact) echo '^(s3|https)://[A-Za-z0-9][A-Za-z0-9._/-]{2,500}$' ;;
    sha256) echo '^[0-9a-f]{64}$' ;;
    nodes) echo '^n[0-9]+( n[0-9]+)*$' ;;
    is_formed) echo '^(yes|no)$' ;;
    leaving) echo '^(n[0-9]+)?$' ;;
    replacing) echo '^(n[0-9]+:(i-[0-9a-f]+|none))?$' ;;  # and the instance that is to go
    *) fail "no setting is called $1" ;;
  esac
}
check_setting() {
  local pattern
  pattern=$(pattern_of "$1")
  [[ $2 =~ $pattern ]] || usage "--${1//_/-}: '$2' is not what it may be ($pattern)"
}
settings_path() { printf '/dfs/%s/settings' "$cluster"; }
# Fails if there is no such cluster.
load_settings() {
  local key value
  settings=()
  ask ssm get-parameters --names "$(settings_path)" --query 'Parameters[].Value'
  if [[ -z $reply ]]; then return 1; fi
  while IFS='=' read -r key value; do
    if [[ -z $key ]]; then continue; fi
    [[ " ${setting_names[*]} " == *" $key "* ]] || fail "$(settings_path) has a line that this version does not know: $key"
    check_setting "$key" "$value"
    settings[$key]=$value
  done <<<"$reply"
}
need_settings() {
  load_settings || fail "there is no cluster called $cluster in region $AWS_REGION (no parameter $(settings_path))"
}
store_settings() {
  local key overwrite=()
  for key in "${setting_names[@]}"; do
    check_setting "$key" "${settings[$key]}"
    printf '%s=%s\n' "$key" "${settings[$key]}"
  done >"$scratch/settings"
  if [[ ${1:-} == over ]]; then overwrite=(--overwrite); fi
  change settings ssm put-parameter --name "$(settings_path)" --type String --value "file://$scratch/settings" "${overwrite[@]}"
}
# set_settings KEY VALUE…: writes what differs.
set_settings() {
  local differs=0
  while (($# > 0)); do
    if [[ ${settings[$1]} != "$2" ]]; then differs=1; fi
    settings[$1]=$2
    shift 2
  done
  if ((differs)); then store_settings over; fi
}

# ---- nodes by number: zone, subnet and address never change, so the addresses of all are known before any exists ----

zones() { read -r -a zone_list <<<"${settings[zones]}"; }
zone_index_of() { zones && echo $(((${1#n} - 1) % ${#zone_list[@]})); }
zone_of() { zones && echo "${zone_list[$(zone_index_of "$1")]}"; }
address_of() { echo "${settings[cidr]%.0.0/16}.$(zone_index_of "$1").$((10 + ${1#n}))"; }
has_node() { [[ " ${settings[nodes]} " == *" $1 "* ]]; }
peers_but() {
  local node list=""
  for node in ${settings[nodes]}; do
    if [[ $node != "$1" ]]; then list+="${list:+,}$(address_of "$node"):$peer_port"; fi
  done
  echo "$list"
}

# ---- templates ----

# render TEMPLATE KEY VALUE…: the template with each @{KEY} replaced, nothing else done to it. @{KEY} alone on a line takes a
# value of several lines, each with the indentation of the place. A key without value, a value without key, and a line break in
# a value elsewhere are errors.
render() {
  local template=$1 line key indent value_line
  local -A values=() used=()
  shift
  while (($# > 0)); do values[$1]=$2 && shift 2; done
  while IFS= read -r line || [[ -n $line ]]; do
    if [[ $line =~ ^([[:blank:]]*)@\{([A-Z0-9_]+)\}$ ]]; then
      indent=${BASH_REMATCH[1]} key=${BASH_REMATCH[2]}
      [[ -v values[$key] ]] || fail "$template: there is no value for @{$key}"
      used[$key]=1
      while IFS= read -r value_line; do
        if [[ -n $value_line ]]; then printf '%s%s\n' "$indent" "$value_line"; else printf '\n'; fi
      done <<<"${values[$key]}"
      continue
    fi
    while [[ $line =~ @\{([A-Z0-9_]+)\} ]]; do
      key=${BASH_REMATCH[1]}
      [[ -v values[$key] ]] || fail "$template: there is no value for @{$key}"
      [[ ${values[$key]} =~ ^[A-Za-z0-9_.,:/=@\ -]*$ && ${values[$key]} != *'@{'* ]] ||
        fail "$template: the value of @{$key} has characters that may not stand there"
      used[$key]=1
      line=${line/"@{$key}"/"${values[$key]}"}
    done
    printf '%s\n' "$line"
  done <"$template"
  for key in "${!values[@]}"; do
    [[ -v used[$key] ]] || fail "$template: nothing takes the value of $key"
  done
}
