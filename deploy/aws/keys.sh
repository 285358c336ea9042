# shellcheck shell=bash
# Keys and rights: the authority and one certificate a node in SSM SecureString parameters, one role a node that may read
# its own and nothing else. Sourced by dfs-aws.

account=""
parameters=" "  # names that exist
roles=" "       # role names that exist

ensure_account() {
  ask sts get-caller-identity --query Account
  account=$reply
}
find_dfs_cli() {
  local folder
  for folder in "${DFS_BIN_DIR:-}" "$(dirname "${BASH_SOURCE[0]}")/../../build/release/bin"; do
    if [[ -n $folder && -x $folder/dfs-cli ]]; then dfs_cli=$folder/dfs-cli && return 0; fi
  done
  dfs_cli=$(command -v dfs-cli) || fail "dfs-cli is not there: it makes the certificates. Build it, or set DFS_BIN_DIR"
}
find_parameters() {
  # Names only; secrets are not read.
  ask ssm describe-parameters --parameter-filters "Key=Path,Option=Recursive,Values=/dfs/$cluster" --query 'Parameters[].[Name]'
  parameters=" ${reply//$'\n'/ } "
}
has_parameter() { [[ $parameters == *" $1 "* ]]; }

authority_path() { printf '/dfs/%s/authority' "$cluster"; }
keys_path() { printf '/dfs/%s/node/%s/keys' "$cluster" "$1"; }

# A secret travels in files of the scratch folder, which only this user can read and which goes with this process: a value
# on a command line could be seen by anybody on this machine. Key and certificate are one parameter, so that they always fit.
ensure_authority() {
  if has_parameter "$(authority_path)"; then return 0; fi
  if ((!is_dry)); then
    run_quietly "$dfs_cli" cert init --dir="$scratch/authority" --cluster="$cluster"
    cat "$scratch/authority/ca.key" "$scratch/authority/ca.crt" >"$scratch/authority.pem"
  fi
  change authority ssm put-parameter --name "$(authority_path)" --type SecureString --value "file://$scratch/authority.pem"
  parameters+="$(authority_path) "
}
load_authority() {
  if [[ -e $scratch/authority/ca.crt ]] || ((is_dry)); then return 0; fi
  ask ssm get-parameter --name "$(authority_path)" --with-decryption --query Parameter.Value
  mkdir "$scratch/authority"
  split_pem "$scratch/authority/ca.key" "$scratch/authority/ca.crt" <<<"$reply"
  reply=""
}
# The private key of what is read goes to file $1, everything else to $2.
split_pem() {
  local line out
  : >"$1"
  : >"$2"
  while IFS= read -r line; do
    if [[ $line == -----BEGIN*PRIVATE\ KEY----- ]]; then out=$1; elif [[ $line == -----BEGIN* ]]; then out=$2; fi
    if [[ -n ${out:-} ]]; then printf '%s\n' "$line" >>"$out"; fi
  done
}
run_quietly() {
  "$@" >"$scratch/output" 2>&1 || { cat "$scratch/output" >&2 && fail "this failed: $(quoted "$@")"; }
}
ensure_keys() {
  if ! has_parameter "$(keys_path "$1")"; then store_new_keys "$1"; fi
}
store_new_keys() {  # NODE [over]
  local node=$1 overwrite=()
  load_authority
  if ((!is_dry)); then
    run_quietly "$dfs_cli" cert issue "$node" --dir="$scratch/authority" --node --address="$(address_of "$node")"
    cat "$scratch/authority/$node.key" "$scratch/authority/$node.crt" "$scratch/authority/ca.crt" >"$scratch/keys.pem"
  fi
  if [[ ${2:-} == over ]]; then overwrite=(--overwrite); fi
  change keys ssm put-parameter --name "$(keys_path "$node")" --type SecureString --value "file://$scratch/keys.pem" "${overwrite[@]}"
  parameters+="$(keys_path "$node") "
}
# A certificate for somebody who uses the cluster, into folder $2. The private key never leaves this machine.
issue_client() {
  local who=$1 folder=$2
  load_authority
  if ((is_dry)); then
    printf 'would: %s\n' "$(quoted dfs-cli cert issue "$who" --client)"
    return 0
  fi
  run_quietly "$dfs_cli" cert issue "$who" --dir="$scratch/authority" --client
  mkdir -p "$folder"
  cp "$scratch/authority/$who.key" "$scratch/authority/$who.crt" "$scratch/authority/ca.crt" "$folder"
}
delete_parameter() {
  if has_parameter "$1"; then change none ssm delete-parameter --name "$1"; fi
}

role_of() { printf 'dfs-%s-%s' "$cluster" "$1"; }
find_roles() {
  ask iam list-roles --path-prefix "/dfs/$cluster/" --query 'Roles[].[RoleName]'
  roles=" ${reply//$'\n'/ } "
}
# What a node may: read its own keys; be spoken to through SSM; fetch the artefact. AWS's own policy for SSM would let
# it read every parameter of the account, the authority's key among them.
node_policy() {
  local resource bucket_path
  printf '{"Version":"2012-10-17","Statement":['
  printf '{"Sid":"OwnKeys","Effect":"Allow","Action":"ssm:GetParameter","Resource":"arn:%s:ssm:%s:%s:parameter%s"},' \
    "$partition" "$AWS_REGION" "$account" "$(keys_path "$1")"
  printf '{"Sid":"DecryptOwnKeys","Effect":"Allow","Action":"kms:Decrypt","Resource":"%s","Condition":{"StringEquals":{"kms:ViaService":"ssm.%s.amazonaws.com","kms:EncryptionContext:PARAMETER_ARN":"arn:%s:ssm:%s:%s:parameter%s"}}},' \
    "$parameter_key" "$AWS_REGION" "$partition" "$AWS_REGION" "$account" "$(keys_path "$1")"
  if [[ ${settings[artifact]} == s3://* ]]; then
    bucket_path=${settings[artifact]#s3://}
    resource="arn:$partition:s3:::$bucket_path"
    printf '{"Sid":"Artifact","Effect":"Allow","Action":"s3:GetObject","Resource":"%s"},' "$resource"
  fi
  printf '{"Sid":"BeSpokenTo","Effect":"Allow","Action":["ssm:UpdateInstanceInformation","ssmmessages:CreateControlChannel","ssmmessages:CreateDataChannel","ssmmessages:OpenControlChannel","ssmmessages:OpenDataChannel"],"Resource":"*"}]}'
}
# The key that SSM encrypts with: AWS's own for this account and region, which it makes when it is first asked for.
find_parameter_key() {
  ask kms describe-key --key-id alias/aws/ssm --query KeyMetadata.Arn
  parameter_key=$reply
  partition=${parameter_key#arn:}
  partition=${partition%%:*}
}
ensure_role() {
  local role name wanted policy there
  role=$(role_of "$1")
  policy=$(node_policy "$1")
  wanted=$(sha256sum <<<"$policy")
  wanted=node-${wanted:0:16}  # what is in it names it
  if [[ $roles != *" $role "* ]]; then
    change role iam create-role --role-name "$role" --path "/dfs/$cluster/" --description "dfs cluster $cluster: node $1" \
      --assume-role-policy-document '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}' \
      --query Role.RoleName
    roles+="$role "
    there=""
  else
    ask iam list-role-policies --role-name "$role" --query 'PolicyNames[]'
    there=$reply
  fi
  if [[ " ${there//$'\t'/ } " != *" $wanted "* ]]; then
    printf '%s' "$policy" >"$scratch/policy"
    change policy iam put-role-policy --role-name "$role" --policy-name "$wanted" --policy-document "file://$scratch/policy"
  fi
  for name in $there; do
    if [[ $name != "$wanted" ]]; then change none iam delete-role-policy --role-name "$role" --policy-name "$name"; fi
  done
  ensure_profile "$role"
}
ensure_profile() {
  local profile
  ask iam list-instance-profiles --path-prefix "/dfs/$cluster/" --query "InstanceProfiles[?InstanceProfileName=='$1'].[InstanceProfileName,Roles[0].RoleName]"
  profile=$reply
  if [[ -z $profile ]]; then
    change profile iam create-instance-profile --instance-profile-name "$1" --path "/dfs/$cluster/" --query InstanceProfile.InstanceProfileName
  fi
  if [[ -z $profile || $profile == *None ]]; then
    change none iam add-role-to-instance-profile --instance-profile-name "$1" --role-name "$1"
  fi
}
delete_role() {
  local role=$1 name profile
  ask iam list-instance-profiles --path-prefix "/dfs/$cluster/" --query "InstanceProfiles[?InstanceProfileName=='$role'].[InstanceProfileName,Roles[0].RoleName]"
  profile=$reply
  if [[ -n $profile && $profile != *None ]]; then
    change none iam remove-role-from-instance-profile --instance-profile-name "$role" --role-name "$role"
  fi
  if [[ -n $profile ]]; then change none iam delete-instance-profile --instance-profile-name "$role"; fi
  if [[ $roles != *" $role "* ]]; then return 0; fi
  ask iam list-role-policies --role-name "$role" --query 'PolicyNames[]'
  for name in $reply; do change none iam delete-role-policy --role-name "$role" --policy-name "$name"; done
  change none iam delete-role --role-name "$role"
}
