"""A small AWS in memory, and the command line in front of it.

Every call is checked against what the real command line knows (aws_operations.json: options, members of structures), recorded,
and answered in the shape of the real one's output skeletons. Behind it is enough of a cloud that a cluster can be created, worked
and destroyed: networks, volumes, instances that boot with their user data, roles whose policies are read, parameters, and on the
instances the members of one dfs cluster.
"""

import copy
import json
import pathlib
import re
import shlex
import socket
import threading

from aws_command_line import KNOWN, Refused, Wrong, as_text, is_reading, jmespath, parse, query_fits, shaped

__all__ = ["Cloud", "KNOWN", "Server", "is_reading"]


class Cloud:
    """The state, and a method for each operation (spaces and hyphens as underscores)."""

    region = "eu-central-1"
    account = "123456789012"
    zones = ("eu-central-1a", "eu-central-1b", "eu-central-1c", "eu-central-1d")
    offering = zones  # where the type of instance can be had

    def __init__(self):
        self.calls = []       # argument lists, in order
        self.statuses = []    # for each call
        self.files_of = []    # for each call: what the files held that it names
        self.wrong = []       # what the real command line would not have taken
        self.fail = None      # function(arguments) -> when this call is to fail (None, "before" or "after" its effect), a name for that
        self.injected = set() # (name, when) of what did
        self.things = {}      # id -> dict with "kind" and what is known
        self.parameters = {}  # name -> (type, value)
        self.roles = {}
        self.profiles = {}
        self.commands = {}
        self.members = []     # of the dfs cluster: dicts name, id, volume, is_alive
        self.files = 0
        self.not_ok_to_stop = set()
        self.broken_releases = set()
        self.ran = []         # (node, command line) of what ran on nodes
        self.renewed = {}     # node -> the keys it has fetched anew
        self.counter = 0

    # ---- the command line ----

    def run(self, arguments):
        """(exit status, text)."""
        self.statuses.append(None)
        self.statuses[-1], text = self.run_recorded(arguments)
        return self.statuses[-1], text

    def run_recorded(self, arguments):
        self.calls.append(arguments)
        self.files_of.append({w: pathlib.Path(w[7:]).read_text() for w in arguments if w.startswith("file://")})
        try:
            when, what = self.fail(arguments) if self.fail else (None, None)
            if when == "before":
                self.injected.add((what, when))
                raise Refused("InternalError", "injected before " + " ".join(arguments[:2]))
            name, options = parse(arguments)
            answer = getattr(self, name.replace(" ", "_").replace("-", "_"))(options)
            answer = shaped(KNOWN[name]["output"], answer or {}, name)
            if when == "after":
                self.injected.add((what, when))
                raise Refused("RequestTimeout", "injected after " + " ".join(arguments[:2]))
            if "query" in options:
                query_fits(options["query"], KNOWN[name]["output"])
                return 0, as_text(jmespath.search(options["query"], answer))
            return 0, ""
        except Refused as refused:
            return refused.status, str(refused)
        except Exception as wrong:  # pylint: disable=broad-except
            self.wrong.append("%s: %s: %r" % (shlex.join(arguments), type(wrong).__name__, wrong))
            return 252, "WRONG CALL: %r\n" % wrong

    # ---- things ----

    def add(self, kind, prefix, options=None, **what):
        self.counter += 1
        identity = "%s-%017x" % (prefix, self.counter)
        tags = {}
        for specification in (options or {}).get("tag-specifications", []):
            for tag in specification["Tags"]:
                tags[tag["Key"]] = tag["Value"]
        self.things[identity] = dict(what, kind=kind, id=identity, tags=tags, is_known=False)
        return self.things[identity]

    def of(self, kind, options=None):
        """Things of a kind that pass the filters."""
        found = [t for t in self.things.values() if t["kind"] == kind]
        for condition in (options or {}).get("filters", []):
            name, values = condition["Name"], condition["Values"]
            if name.startswith("tag:"):
                found = [t for t in found if t["tags"].get(name[4:]) in values]
            elif name == "tag-key":
                found = [t for t in found if values[0] in t["tags"]]
            elif name == "instance-state-name":
                found = [t for t in found if t["state"] in values]
            elif name == "vpc-id":
                found = [t for t in found if t.get("vpc") in values]
            elif name == "association.main":
                found = [t for t in found if t["is_main"]]
            else:
                raise Wrong("a filter that the stand-in does not know: " + name)
        return found

    def get(self, kind, identity):
        thing = self.things.get(identity)
        if thing is None or thing["kind"] != kind:
            raise Refused("Invalid%s.NotFound" % kind.title(), "%s does not exist" % identity)
        if not thing["is_known"]:  # everywhere a moment later
            thing["is_known"] = True
            raise Refused("Invalid%s.NotFound" % kind.title(), "%s does not exist yet" % identity)
        return thing

    @staticmethod
    def tags(thing):
        return [{"Key": k, "Value": v} for k, v in sorted(thing["tags"].items())]

    # ---- ec2: network ----

    def ec2_describe_vpcs(self, options):
        return {"Vpcs": [{"VpcId": t["id"]} for t in self.of("vpc", options)]}

    def ec2_create_vpc(self, options):
        vpc = self.add("vpc", "vpc", options, cidr=options["cidr-block"], has_names=False)
        self.add("route-table", "rtb", vpc=vpc["id"], is_main=True)
        return {"Vpc": {"VpcId": vpc["id"]}}

    def ec2_describe_vpc_attribute(self, options):
        return {"EnableDnsHostnames": {"Value": self.get("vpc", options["vpc-id"])["has_names"]}}

    def ec2_modify_vpc_attribute(self, options):
        self.get("vpc", options["vpc-id"])["has_names"] = options["enable-dns-hostnames"]["Value"]

    def ec2_delete_vpc(self, options):
        vpc = self.get("vpc", options["vpc-id"])
        left = [t["id"] for t in self.things.values() if t.get("vpc") == vpc["id"] and t["kind"] != "route-table"]
        if left:
            raise Refused("DependencyViolation", "the vpc still has %s" % left)
        del self.things[vpc["id"]]

    def ec2_describe_subnets(self, options):
        return {"Subnets": [{"AvailabilityZone": t["zone"], "SubnetId": t["id"]} for t in self.of("subnet", options)]}

    def ec2_create_subnet(self, options):
        if any(t["cidr"] == options["cidr-block"] for t in self.of("subnet")):
            raise Refused("InvalidSubnet.Conflict", "the range is taken")
        vpc = self.get("vpc", options["vpc-id"])
        subnet = self.add("subnet", "subnet", options, vpc=vpc["id"], zone=options["availability-zone"], cidr=options["cidr-block"])
        return {"Subnet": {"SubnetId": subnet["id"]}}

    def ec2_delete_subnet(self, options):
        subnet = self.get("subnet", options["subnet-id"])
        if any(t.get("subnet") == subnet["id"] and t["state"] != "terminated" for t in self.of("instance")):
            raise Refused("DependencyViolation", "an instance is in it")
        del self.things[subnet["id"]]

    def ec2_describe_security_groups(self, options):
        return {"SecurityGroups": [{"GroupName": t["name"], "GroupId": t["id"]} for t in self.of("group", options)]}

    def ec2_create_security_group(self, options):
        if any(t["name"] == options["group-name"] for t in self.of("group")):
            raise Refused("InvalidGroup.Duplicate", "the name is taken")
        vpc = self.get("vpc", options["vpc-id"])
        group = self.add("group", "sg", options, vpc=vpc["id"], name=options["group-name"])
        self.add("rule", "sgr", group=group["id"], is_egress=True, protocol="-1", port=-1, to="0.0.0.0/0")
        return {"GroupId": group["id"]}

    def ec2_delete_security_group(self, options):
        group = self.get("group", options["group-id"])
        if any(t["to"] == group["id"] and t["group"] != group["id"] for t in self.of("rule")):
            raise Refused("DependencyViolation", "a rule of another group names it")
        for rule in self.of("rule"):
            if rule["group"] == group["id"]:
                del self.things[rule["id"]]
        del self.things[group["id"]]

    def ec2_describe_security_group_rules(self, options):
        group = options["filters"][0]["Values"][0]
        if options["filters"][0]["Name"] != "group-id":
            raise Wrong("filter of rules")
        rules = []
        for t in self.of("rule"):
            if t["group"] != group:
                continue
            rule = {"SecurityGroupRuleId": t["id"], "IsEgress": t["is_egress"], "IpProtocol": t["protocol"], "FromPort": t["port"]}
            if t["to"].startswith("sg-"):
                rule["ReferencedGroupInfo"] = {"GroupId": t["to"]}
            elif t["to"].startswith("pl-"):
                rule["PrefixListId"] = t["to"]
            else:
                rule["CidrIpv4"] = t["to"]
            rules.append(rule)
        return {"SecurityGroupRules": rules}

    def authorize(self, options, is_egress):
        group = self.get("group", options["group-id"])
        for p in options["ip-permissions"]:
            if p["FromPort"] != p["ToPort"]:
                raise Wrong("more than one port")
            others = ([g["GroupId"] for g in p.get("UserIdGroupPairs", [])] + [r["CidrIp"] for r in p.get("IpRanges", [])] +
                      [x["PrefixListId"] for x in p.get("PrefixListIds", [])])
            for other in others:
                what = dict(group=group["id"], is_egress=is_egress, protocol=p["IpProtocol"], port=p["FromPort"], to=other)
                if any(all(t[k] == v for k, v in what.items()) for t in self.of("rule")):
                    raise Refused("InvalidPermission.Duplicate", "the rule is there")
                self.add("rule", "sgr", **what)

    def ec2_authorize_security_group_ingress(self, options):
        self.authorize(options, False)

    def ec2_authorize_security_group_egress(self, options):
        self.authorize(options, True)

    def revoke(self, options, is_egress):
        for identity in options["security-group-rule-ids"]:
            rule = self.get("rule", identity)
            if rule["is_egress"] != is_egress or rule["group"] != options["group-id"]:
                raise Wrong("another rule")
            del self.things[identity]

    def ec2_revoke_security_group_ingress(self, options):
        self.revoke(options, False)

    def ec2_revoke_security_group_egress(self, options):
        self.revoke(options, True)

    def ec2_describe_prefix_lists(self, options):
        assert options["filters"][0]["Values"] == ["com.amazonaws.%s.s3" % self.region]
        return {"PrefixLists": [{"PrefixListId": "pl-6ea54007"}]}

    def ec2_describe_route_tables(self, options):
        return {"RouteTables": [{"RouteTableId": t["id"]} for t in self.of("route-table", options)]}

    def ec2_describe_vpc_endpoints(self, options):
        answer = {"VpcEndpoints": [{"VpcEndpointId": t["id"], "ServiceName": t["service"], "State": t["state"]}
                                   for t in self.of("endpoint", options)]}
        for t in self.of("endpoint"):
            if t["state"] == "deleting":  # seen once more, then gone
                del self.things[t["id"]]
        return answer

    def ec2_create_vpc_endpoint(self, options):
        if any(t["service"] == options["service-name"] for t in self.of("endpoint")):
            raise Refused("InvalidParameter", "private-dns-enabled cannot be set: there is a conflicting endpoint")
        for group in options.get("security-group-ids", []):
            self.get("group", group)
        what = dict(vpc=self.get("vpc", options["vpc-id"])["id"], service=options["service-name"], state="available")
        return {"VpcEndpoint": {"VpcEndpointId": self.add("endpoint", "vpce", options, **what)["id"]}}

    def ec2_delete_vpc_endpoints(self, options):
        for identity in options["vpc-endpoint-ids"]:
            self.get("endpoint", identity)["state"] = "deleting"

    # ---- ec2: machines ----

    def ec2_describe_availability_zones(self, _):
        return {"AvailabilityZones": [{"ZoneName": zone} for zone in self.zones]}

    def ec2_describe_instance_type_offerings(self, options):
        assert options["location-type"] == "availability-zone" and options["filters"][0]["Name"] == "instance-type"
        return {"InstanceTypeOfferings": [{"Location": zone} for zone in self.offering]}

    def ec2_describe_images(self, options):
        return {"Images": [{"ImageId": i, "RootDeviceName": "/dev/xvda", "Architecture": "x86_64"} for i in options["image-ids"]]}

    def ec2_describe_launch_templates(self, options):
        return {"LaunchTemplates": [{"LaunchTemplateId": t["id"]} for t in self.of("template", options)]}

    def ec2_create_launch_template(self, options):
        if any(t["name"] == options["launch-template-name"] for t in self.of("template")):
            raise Refused("InvalidLaunchTemplateName.AlreadyExistsException", "the name is taken")
        t = self.add("template", "lt", options, name=options["launch-template-name"], data=options["launch-template-data"])
        return {"LaunchTemplate": {"LaunchTemplateId": t["id"]}}

    def ec2_delete_launch_template(self, options):
        del self.things[self.get("template", options["launch-template-id"])["id"]]

    def ec2_create_volume(self, options):
        volume = self.add("volume", "vol", options, zone=options["availability-zone"], state="creating", instance=None,
                          is_formatted=False, member=None, is_encrypted=options.get("encrypted", False))
        return {"VolumeId": volume["id"]}

    def ec2_describe_volumes(self, options):
        found = self.of("volume", options)
        if "volume-ids" in options:
            found = [self.get("volume", i) for i in options["volume-ids"]]
        answer = []
        for t in found:
            volume = {"VolumeId": t["id"], "State": t["state"], "Tags": self.tags(t)}
            if t["instance"]:
                volume["Attachments"] = [{"InstanceId": t["instance"], "DeleteOnTermination": False}]
            answer.append(volume)
            if t["state"] == "creating":
                t["state"] = "available"
        return {"Volumes": answer}

    def ec2_attach_volume(self, options):
        volume, instance = self.get("volume", options["volume-id"]), self.get("instance", options["instance-id"])
        if volume["state"] != "available":
            raise Refused("VolumeInUse", "%s is %s" % (volume["id"], volume["state"]))
        if instance["state"] != "running":
            raise Refused("IncorrectState", "%s is not running" % instance["id"])
        if volume["zone"] != instance["zone"]:
            raise Refused("InvalidVolume.ZoneMismatch", "another zone")
        volume.update(state="in-use", instance=instance["id"])
        self.boot(instance, volume)
        return {"State": "attaching"}

    def ec2_delete_volume(self, options):
        volume = self.get("volume", options["volume-id"])
        if volume["state"] != "available":
            raise Refused("VolumeInUse", "it is attached")
        del self.things[volume["id"]]

    def ec2_run_instances(self, options):
        template = self.get("template", options["launch-template"]["LaunchTemplateId"])
        profile = self.profiles.get(options["iam-instance-profile"]["Name"])
        if profile is None:
            raise Refused("InvalidParameterValue", "Value for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name")
        if not profile["is_known"]:  # known everywhere a moment later
            profile["is_known"] = True
            raise Refused("InvalidParameterValue", "Value for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name")
        network = options["network-interfaces"][0]
        if any(t["address"] == network["PrivateIpAddress"] and t["state"] != "terminated" for t in self.of("instance")):
            raise Refused("InvalidIPAddress.InUse", "Address %s is in use" % network["PrivateIpAddress"])
        subnet = self.get("subnet", network["SubnetId"])
        instance = self.add("instance", "i", options, state="pending", zone=subnet["zone"], subnet=subnet["id"],
                            address=network["PrivateIpAddress"], user_data=options["user-data"], profile=options["iam-instance-profile"]["Name"],
                            template=copy.deepcopy(template["data"]), network=network)
        return {"Instances": [{"InstanceId": instance["id"]}]}

    def ec2_describe_instances(self, options):
        found = self.of("instance", options)
        if "instance-ids" in options:
            found = [self.get("instance", i) for i in options["instance-ids"]]
        answer = [{"InstanceId": t["id"], "State": {"Name": t["state"]}, "Tags": self.tags(t)} for t in found]
        for t in found:
            if t["state"] == "pending":
                t["state"] = "running"
            elif t["state"] == "shutting-down":
                t["state"] = "terminated"
                for volume in self.of("volume"):
                    if volume["instance"] == t["id"]:
                        volume.update(state="available", instance=None)
        return {"Reservations": [{"Instances": [one]} for one in answer]}

    def ec2_terminate_instances(self, options):
        for identity in options["instance-ids"]:
            instance = self.get("instance", identity)
            if instance["state"] != "terminated":
                instance["state"] = "shutting-down"
            self.shut(instance)
        return {"TerminatingInstances": [{"CurrentState": {"Name": "shutting-down"}}]}

    def ec2_create_tags(self, options):
        for identity in options["resources"]:
            for tag in options["tags"]:
                self.things[identity]["tags"][tag["Key"]] = tag["Value"]

    # ---- the dfs cluster on the instances ----

    @staticmethod
    def setting(instance, name):
        return re.search(r"^ *%s=(.*)$" % name, instance["user_data"], re.MULTILINE).group(1)

    def boot(self, instance, volume):
        """What dfs-node and dfs-server do with this user data, role and volume."""
        keys = self.setting(instance, "KEYS")
        policy = json.loads("".join(self.roles[self.profiles[instance["profile"]]["role"]]["policies"].values()))
        may_read = any(s["Action"] == "ssm:GetParameter" and s["Resource"].endswith(":parameter" + keys) for s in policy["Statement"])
        if self.setting(instance, "VOLUME") != volume["id"] or not may_read or keys not in self.parameters:
            return
        if not volume["is_formatted"]:
            if self.setting(instance, "FORMAT") != "if-empty":
                return
            volume["is_formatted"] = True
        if volume["member"] is None:
            if not self.members and self.setting(instance, "DFS_SERVER_FLAGS") != "--bootstrap":
                volume["joins"] = instance["id"]
                return
            self.join(instance, volume)
        volume["member"].update(is_alive=True, instance=instance["id"])
        for other in self.of("volume"):
            if other.get("joins") and other["member"] is None:
                self.join(self.things[other["joins"]], other)

    def join(self, instance, volume):
        self.counter += 1
        member = {"name": self.setting(instance, "DFS_NAME"), "id": len(self.members) + 1, "is_alive": True, "instance": instance["id"],
                  "release": self.setting(instance, "SHA256")}
        volume["member"] = member
        self.members.append(member)

    def shut(self, instance):
        for member in self.members:
            if member["instance"] == instance["id"]:
                member["is_alive"] = False

    def alive(self, name):
        return any(m["name"] == name and m["is_alive"] for m in self.members)

    def missing(self):
        return sum(not m["is_alive"] for m in self.members)

    def on_node(self, instance, line):
        """(exit status, output, errors) of a command line on an instance."""
        words = line.split()
        assert words[0] == "/usr/local/sbin/dfs-node", line
        node = self.things[instance]["tags"]["dfs:node"]
        self.ran.append((node, " ".join(words[1:])))
        verb, rest = words[1], words[2:]
        if verb == "observe":
            rows = ["%s %s voter %d" % (m["name"], "alive" if m["is_alive"] else "dead", m["id"]) for m in self.members]
            return 0, "\n".join(rows + ["cluster OK n1 %d %d" % (self.missing(), self.files)]) + "\n", ""
        if verb == "wait":
            good = all(self.alive(name) for name in rest[1:]) and self.missing() == 0
            return (0, "", "") if good else (1, "", "dfs-node: gave up waiting")
        if verb == "wait-alive":
            return (0, "", "") if all(self.alive(name) for name in rest[1:]) else (1, "", "dfs-node: gave up waiting")
        if verb == "settle":
            if self.alive(rest[0]):
                self.members = [m for m in self.members if m["name"] != rest[0] or m["is_alive"]]
            return 0, "", ""
        if verb == "let-go":
            self.members = [m for m in self.members if m["name"] != rest[0]]
            return 0, "", ""
        if verb == "upgrade":
            if rest[1] in self.broken_releases:
                return 1, "", "dfs-node: the new release was not ready within 300 s: back to the one before"
            for m in self.members:
                if m["name"] == node:
                    m["release"] = rest[1]
            return 0, "", ""
        if verb == "renew":
            self.renewed[node] = self.parameters["/dfs/test/node/%s/keys" % node][1]
            return 0, "", ""
        if words[1:3] == ["cli", "ok-to-stop"]:
            return (14, "", "dfs-cli: not ok: 1 files would lose a quorum") if words[3] in self.not_ok_to_stop else (0, "", "")
        raise Wrong("no such command on nodes: " + line)

    # ---- ssm, iam, sts, kms ----

    def ssm_get_parameters(self, options):
        image = {"/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64": "ami-0123456789abcdef0"}
        found = [{"Name": n, "Value": image.get(n) or self.parameters[n][1]} for n in options["names"] if n in image or n in self.parameters]
        return {"Parameters": found}

    def ssm_get_parameter(self, options):
        if options["name"] not in self.parameters:
            raise Refused("ParameterNotFound", options["name"])
        kind, value = self.parameters[options["name"]]
        return {"Parameter": {"Value": value if kind == "String" or "with-decryption" in options else "ENCRYPTED"}}

    def ssm_put_parameter(self, options):
        if options["name"] in self.parameters and "overwrite" not in options:
            raise Refused("ParameterAlreadyExists", options["name"])
        # The real one keeps a trailing line break out of nothing; neither do we.
        self.parameters[options["name"]] = (options["type"], options["value"])

    def ssm_describe_parameters(self, options):
        condition = options["parameter-filters"][0]
        assert condition["Key"] == "Path" and condition["Option"] == "Recursive"
        return {"Parameters": [{"Name": n} for n in sorted(self.parameters) if n.startswith(condition["Values"][0] + "/")]}

    def ssm_delete_parameter(self, options):
        if options["name"] not in self.parameters:
            raise Refused("ParameterNotFound", options["name"])
        del self.parameters[options["name"]]

    def ssm_describe_instance_information(self, options):
        assert options["filters"][0]["Key"] == "InstanceIds"
        running = [i for i in options["filters"][0]["Values"] if i in self.things and self.things[i]["state"] == "running"]
        return {"InstanceInformationList": [{"PingStatus": "Online"} for _ in running]}

    def ssm_send_command(self, options):
        self.counter += 1
        identity = "00000000-0000-0000-0000-%012d" % self.counter
        parameters = options["parameters"]
        if set(parameters) != {"commands", "executionTimeout"} or not all(isinstance(v, list) for v in parameters.values()):
            raise Wrong("parameters of AWS-RunShellScript")
        result = self.on_node(options["instance-ids"][0], parameters["commands"][0])
        self.commands[identity] = {"result": result, "looks": 0}
        return {"Command": {"CommandId": identity}}

    def ssm_list_command_invocations(self, options):
        command = self.commands[options["command-id"]]
        command["looks"] += 1  # nothing is known of it at once
        status = [] if command["looks"] == 1 else ["Success" if command["result"][0] == 0 else "Failed"]
        return {"CommandInvocations": [{"Status": s} for s in status]}

    def ssm_get_command_invocation(self, options):
        status, out, err = self.commands[options["command-id"]]["result"]
        return {"ResponseCode": status, "StandardOutputContent": out, "StandardErrorContent": err}

    def sts_get_caller_identity(self, _):
        return {"Account": self.account}

    def kms_describe_key(self, options):
        assert options["key-id"] == "alias/aws/ssm"
        return {"KeyMetadata": {"Arn": "arn:aws:kms:%s:%s:key/11111111-2222-3333-4444-555555555555" % (self.region, self.account)}}

    def iam_list_roles(self, options):
        return {"Roles": [{"RoleName": n} for n, r in self.roles.items() if r["path"].startswith(options["path-prefix"])]}

    def iam_create_role(self, options):
        if options["role-name"] in self.roles:
            raise Refused("EntityAlreadyExists", options["role-name"])
        json.loads(options["assume-role-policy-document"])
        self.roles[options["role-name"]] = {"path": options["path"], "policies": {}}
        return {"Role": {"RoleName": options["role-name"]}}

    def role(self, options):
        if options["role-name"] not in self.roles:
            raise Refused("NoSuchEntity", options["role-name"])
        return self.roles[options["role-name"]]

    def iam_list_role_policies(self, options):
        return {"PolicyNames": list(self.role(options)["policies"])}

    def iam_put_role_policy(self, options):
        json.loads(options["policy-document"])
        self.role(options)["policies"][options["policy-name"]] = options["policy-document"]

    def iam_delete_role_policy(self, options):
        del self.role(options)["policies"][options["policy-name"]]

    def iam_delete_role(self, options):
        if self.role(options)["policies"] or any(p["role"] == options["role-name"] for p in self.profiles.values()):
            raise Refused("DeleteConflict", "policies or profiles are left")
        del self.roles[options["role-name"]]

    def iam_list_instance_profiles(self, options):
        return {"InstanceProfiles": [{"InstanceProfileName": n, "Roles": [{"RoleName": p["role"]}] if p["role"] else []}
                                     for n, p in self.profiles.items() if p["path"].startswith(options["path-prefix"])]}

    def iam_create_instance_profile(self, options):
        if options["instance-profile-name"] in self.profiles:
            raise Refused("EntityAlreadyExists", options["instance-profile-name"])
        self.profiles[options["instance-profile-name"]] = {"path": options["path"], "role": None, "is_known": False}
        return {"InstanceProfile": {"InstanceProfileName": options["instance-profile-name"]}}

    def iam_add_role_to_instance_profile(self, options):
        profile = self.profiles[options["instance-profile-name"]]
        if profile["role"]:
            raise Refused("LimitExceeded", "one role")
        profile["role"] = options["role-name"]

    def iam_remove_role_from_instance_profile(self, options):
        self.profiles[options["instance-profile-name"]]["role"] = None

    def iam_delete_instance_profile(self, options):
        if self.profiles[options["instance-profile-name"]]["role"]:
            raise Refused("DeleteConflict", "it has a role")
        del self.profiles[options["instance-profile-name"]]

    # ---- what is left of it all ----

    def living(self):
        """Everything that would cost or count: nothing after destroy."""
        things = [t["id"] for t in self.things.values()
                  if t["kind"] != "route-table" and not (t["kind"] == "instance" and t["state"] == "terminated")]
        return things + list(self.parameters) + list(self.roles) + list(self.profiles)


class Server:
    """Serves stand_in/aws on a port of loopback."""

    def __init__(self):
        self.cloud = Cloud()
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=16)
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            connection, _ = self.socket.accept()
            with connection:
                self.answer(connection)

    def answer(self, connection):
        data, words = b"", []
        while not words or len(words) <= int(words[0]):
            piece = connection.recv(65536)
            if not piece:
                return
            data += piece
            words = data.decode().split("\0")[:-1]
        # What `call` appends for every call.
        status, text = self.cloud.run(words[1:])
        connection.sendall(("%d\0%s\0" % (status, text)).encode())
