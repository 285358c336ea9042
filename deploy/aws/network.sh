# shellcheck shell=bash
# The network of a cluster: a VPC without a way to or from the Internet, a subnet in each zone, and the endpoints of the AWS
# services that the nodes need. Each function makes what is missing and leaves its id in a variable. Sourced by dfs-aws.

vpc="" nodes_group="" endpoints_group=""
declare -A subnets=()  # by zone

find_vpc() {
  ask ec2 describe-vpcs --filters "$cluster_filter" --query 'Vpcs[].VpcId'
  one VPC
  vpc=$reply
}
ensure_vpc() {
  find_vpc
  if [[ -z $vpc ]]; then
    change vpc ec2 create-vpc --cidr-block "${settings[cidr]}" --tag-specifications "$(tags_of vpc vpc)" --query Vpc.VpcId
    vpc=$reply
  fi
  # The endpoints below answer under the usual names only if the network has its own name service.
  ask ec2 describe-vpc-attribute --vpc-id "$vpc" --attribute enableDnsHostnames --query EnableDnsHostnames.Value
  if [[ $reply != True ]]; then
    change attribute ec2 modify-vpc-attribute --vpc-id "$vpc" --enable-dns-hostnames '{"Value":true}'
  fi
}

find_subnets() {
  local zone subnet
  subnets=()
  ask ec2 describe-subnets --filters "$cluster_filter" --query 'Subnets[].[AvailabilityZone,SubnetId]'
  while read -r zone subnet; do
    if [[ -n $zone ]]; then subnets[$zone]=$subnet; fi
  done <<<"$reply"
}
ensure_subnets() {
  local zone i=0 zone_list
  find_subnets
  zones
  for zone in "${zone_list[@]}"; do
    if [[ -z ${subnets[$zone]:-} ]]; then
      change "subnet-$i" ec2 create-subnet --vpc-id "$vpc" --availability-zone "$zone" \
        --cidr-block "${settings[cidr]%.0.0/16}.$i.0/24" --tag-specifications "$(tags_of subnet "$zone")" --query Subnet.SubnetId
      subnets[$zone]=$reply
    fi
    i=$((i + 1))
  done
}

find_groups() {
  local name id
  nodes_group="" endpoints_group=""
  ask ec2 describe-security-groups --filters "$cluster_filter" --query 'SecurityGroups[].[GroupName,GroupId]'
  while read -r name id; do
    case $name in
      "dfs-$cluster-nodes") nodes_group=$id ;;
      "dfs-$cluster-endpoints") endpoints_group=$id ;;
    esac
  done <<<"$reply"
}
create_group() {  # NAME DESCRIPTION
  change "sg-$1" ec2 create-security-group --group-name "dfs-$cluster-$1" --description "$2" --vpc-id "$vpc" \
    --tag-specifications "$(tags_of security-group "$1")" --query GroupId
}
ensure_groups() {
  local prefix_list
  find_groups
  if [[ -z $nodes_group ]]; then
    create_group nodes "dfs cluster $cluster: its nodes"
    nodes_group=$reply
  fi
  if [[ -z $endpoints_group ]]; then
    create_group endpoints "dfs cluster $cluster: AWS services that its nodes call"
    endpoints_group=$reply
  fi
  ask ec2 describe-prefix-lists --filters "Name=prefix-list-name,Values=com.amazonaws.$AWS_REGION.s3" --query 'PrefixLists[].PrefixListId'
  one 'prefix list of S3'
  prefix_list=${reply:?AWS names no prefix list of S3 here}
  # A rule: direction, port, and who is at the other end. Peers are the members of the group, whatever address they have.
  ensure_rules "$nodes_group" "in $client_port ${settings[clients]}" "in $http_port ${settings[clients]}" \
    "in $peer_port $nodes_group" "out $peer_port $nodes_group" "out 443 $endpoints_group" "out 443 $prefix_list"
  ensure_rules "$endpoints_group" "in 443 $nodes_group"
}
# Makes the rules of group $1 exactly those that follow. A new group lets everything out; that goes.
ensure_rules() {
  local group=$1 rule id is_egress protocol port address other list there=()
  shift
  ask ec2 describe-security-group-rules --filters "Name=group-id,Values=$group" \
    --query 'SecurityGroupRules[].[SecurityGroupRuleId,IsEgress,IpProtocol,FromPort,CidrIpv4,ReferencedGroupInfo.GroupId,PrefixListId]'
  while read -r id is_egress protocol port address other list; do
    if [[ -z $id ]]; then continue; fi
    rule=in
    if [[ $is_egress == True ]]; then rule=out; fi
    rule+=" $port "
    for other in "$address" "$other" "$list"; do
      if [[ $other != None ]]; then rule+=$other; fi
    done
    if [[ $protocol == tcp && " $* " == *" $rule "* ]] && is_among "$rule" "$@"; then
      there+=("$rule")
    elif [[ $is_egress == True ]]; then
      change rule ec2 revoke-security-group-egress --group-id "$group" --security-group-rule-ids "$id"
    else
      change rule ec2 revoke-security-group-ingress --group-id "$group" --security-group-rule-ids "$id"
    fi
  done <<<"$reply"
  if ((is_dry)) && [[ $group == new-* ]]; then
    change rule ec2 revoke-security-group-egress --group-id "$group" --security-group-rule-ids "(the rule that lets everything out)"
  fi
  for rule in "$@"; do
    is_among "$rule" ${there[@]+"${there[@]}"} || add_rule "$group" "$rule"
  done
}
is_among() {
  local word=$1 other
  shift
  for other in "$@"; do
    if [[ $other == "$word" ]]; then return 0; fi
  done
  return 1
}
add_rule() {
  local group=$1 direction port other permission
  read -r direction port other <<<"$2"
  permission="\"IpProtocol\":\"tcp\",\"FromPort\":$port,\"ToPort\":$port"
  case $other in
    sg-* | new-sg-*) permission+=",\"UserIdGroupPairs\":[{\"GroupId\":\"$other\"}]" ;;
    pl-*) permission+=",\"PrefixListIds\":[{\"PrefixListId\":\"$other\"}]" ;;
    *) permission+=",\"IpRanges\":[{\"CidrIp\":\"$other\"}]" ;;
  esac
  case $direction in
    in) change rule ec2 authorize-security-group-ingress --group-id "$group" --ip-permissions "[{$permission}]" ;;
    out) change rule ec2 authorize-security-group-egress --group-id "$group" --ip-permissions "[{$permission}]" ;;
  esac
}

# The nodes reach nothing but these: SSM (keys, and commands of the operator) and S3 (the artefact).
ensure_endpoints() {
  local services=" " service name state table zone zone_list subnet_ids=()
  ask ec2 describe-vpc-endpoints --filters "$cluster_filter" --query 'VpcEndpoints[].[ServiceName,State]'
  while read -r name state; do
    if [[ ${state,,} != delet* ]]; then services+="$name "; fi
  done <<<"$reply"
  zones
  for zone in "${zone_list[@]}"; do subnet_ids+=("${subnets[$zone]}"); done
  for service in ssm ssmmessages; do
    name=com.amazonaws.$AWS_REGION.$service
    if [[ $services == *" $name "* ]]; then continue; fi
    change "vpce-$service" ec2 create-vpc-endpoint --vpc-endpoint-type Interface --vpc-id "$vpc" --service-name "$name" \
      --subnet-ids "${subnet_ids[@]}" --security-group-ids "$endpoints_group" --private-dns-enabled \
      --tag-specifications "$(tags_of vpc-endpoint "$service")" --query VpcEndpoint.VpcEndpointId
  done
  name=com.amazonaws.$AWS_REGION.s3
  if [[ $services == *" $name "* ]]; then return 0; fi
  ask ec2 describe-route-tables --filters "Name=vpc-id,Values=$vpc" Name=association.main,Values=true --query 'RouteTables[].RouteTableId'
  one 'main route table'
  table=${reply:-new-rtb:dry-run}
  change vpce-s3 ec2 create-vpc-endpoint --vpc-endpoint-type Gateway --vpc-id "$vpc" --service-name "$name" \
    --route-table-ids "$table" --tag-specifications "$(tags_of vpc-endpoint s3)" --query VpcEndpoint.VpcEndpointId
}
has_no_endpoints() {
  ask ec2 describe-vpc-endpoints --filters "$cluster_filter" --query 'VpcEndpoints[].[VpcEndpointId,State]'
  [[ -z $reply ]] || ! grep -qviE 'deleted$' <<<"$reply"
}

ensure_network() {
  ensure_vpc
  ensure_subnets
  ensure_groups
  ensure_endpoints
}

delete_network() {
  local zone zone_list id state group doomed=()
  ask ec2 describe-vpc-endpoints --filters "$cluster_filter" --query 'VpcEndpoints[].[VpcEndpointId,State]'
  while read -r id state; do
    if [[ -n $id && ${state,,} != delet* ]]; then doomed+=("$id"); fi
  done <<<"$reply"
  if ((${#doomed[@]} > 0)); then change none ec2 delete-vpc-endpoints --vpc-endpoint-ids "${doomed[@]}"; fi
  wait_until "$thing_seconds" "the endpoints of the network are gone" has_no_endpoints
  find_groups
  find_subnets
  find_vpc
  # The two groups name each other: rules first.
  for group in $nodes_group $endpoints_group; do ensure_rules "$group"; done
  for group in $nodes_group $endpoints_group; do change none ec2 delete-security-group --group-id "$group"; done
  zones
  for zone in "${zone_list[@]}"; do
    if [[ -n ${subnets[$zone]:-} ]]; then change none ec2 delete-subnet --subnet-id "${subnets[$zone]}"; fi
  done
  if [[ -n $vpc ]]; then change none ec2 delete-vpc --vpc-id "$vpc"; fi
}
