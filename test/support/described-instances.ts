/**
 * EC2's answer to DescribeInstances for a large fleet, over HTTP and in its own XML, so that the real client reads it. The
 * emulator takes a minute for a thousand instances, EC2 part of a second.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { imageTag, instanceTag, nameTag, ownedBy, revisionTag } from "../../tools/fleet/aws/tags.ts";
import type { ProvidedInstance } from "../../tools/fleet/services.ts";

/** Its address; it answers any request with all of them, in one page. */
export async function serveDescribedInstances(
  provided: readonly ProvidedInstance[],
  options: { fleet: string; atEnd(work: () => void | Promise<void>): void },
): Promise<string> {
  const page = `<?xml version="1.0" encoding="UTF-8"?>
<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>r</requestId><reservationSet>${provided
    .map((one, index) => describe(one, index, options.fleet))
    .join("")}</reservationSet></DescribeInstancesResponse>`;
  const server = createServer((incoming, outgoing) => {
    incoming.resume();
    outgoing.writeHead(200, { "content-type": "text/xml;charset=UTF-8" });
    outgoing.end(page);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  options.atEnd(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function describe(one: ProvidedInstance, index: number, fleet: string): string {
  const own = { [instanceTag]: one.instance, [nameTag]: one.name, [imageTag]: one.image, [revisionTag]: one.revision };
  const tags = Object.entries({ ...ownedBy(fleet), ...own })
    .map(([key, value]) => `<item><key>${key}</key><value>${value}</value></item>`)
    .join("");
  const address = `10.0.${index >> 8}.${index & 255}`;
  return `<item><reservationId>r-${index}</reservationId><ownerId>123456789012</ownerId><groupSet/><instancesSet><item>
<instanceId>${one.machine}</instanceId><imageId>ami-0123456789abcdef0</imageId><instanceState><code>16</code><name>running</name></instanceState>
<privateDnsName>ip-${address}.internal</privateDnsName><dnsName/><reason/><keyName/><amiLaunchIndex>0</amiLaunchIndex><productCodes/>
<instanceType>t3.small</instanceType><launchTime>2026-11-01T12:00:00.000Z</launchTime><placement><availabilityZone>eu-central-1a</availabilityZone><groupName/><tenancy>default</tenancy></placement>
<monitoring><state>disabled</state></monitoring><subnetId>subnet-0123456789abcdef0</subnetId><vpcId>vpc-0123456789abcdef0</vpcId><privateIpAddress>${address}</privateIpAddress><ipAddress>198.51.100.${index & 255}</ipAddress>
<sourceDestCheck>true</sourceDestCheck><groupSet><item><groupId>sg-0123456789abcdef0</groupId><groupName>clawdinator</groupName></item></groupSet><architecture>x86_64</architecture>
<rootDeviceType>ebs</rootDeviceType><rootDeviceName>/dev/xvda</rootDeviceName><blockDeviceMapping><item><deviceName>/dev/xvda</deviceName><ebs><volumeId>vol-0${index}</volumeId><status>attached</status><attachTime>2026-11-01T12:00:01.000Z</attachTime><deleteOnTermination>true</deleteOnTermination></ebs></item></blockDeviceMapping>
<virtualizationType>hvm</virtualizationType><clientToken>${one.instance}</clientToken><tagSet>${tags}</tagSet><hypervisor>xen</hypervisor><networkInterfaceSet/><ebsOptimized>false</ebsOptimized><enaSupport>true</enaSupport>
<cpuOptions><coreCount>1</coreCount><threadsPerCore>2</threadsPerCore></cpuOptions><metadataOptions><state>applied</state><httpTokens>required</httpTokens><httpPutResponseHopLimit>1</httpPutResponseHopLimit><httpEndpoint>enabled</httpEndpoint></metadataOptions>
</item></instancesSet></item>`;
}
