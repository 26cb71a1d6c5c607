/** Labels by which we know our own containers and images, and those by which a user overrides what we infer. */
export const label = {
  /** Id of the mesh project that owns it. */
  owner: 'dev.meshdesk.owner',
  role: 'dev.meshdesk.role',
  workload: 'dev.meshdesk.workload',
  incarnation: 'dev.meshdesk.incarnation',
  image: 'dev.meshdesk.image',
} as const;

export const override = {
  service: 'dev.meshdesk.service',
  version: 'dev.meshdesk.version',
  namespace: 'dev.meshdesk.namespace',
  ignore: 'dev.meshdesk.ignore',
  /** `dev.meshdesk.protocol.8080=http` */
  protocolPrefix: 'dev.meshdesk.protocol.',
  /** `dev.meshdesk.proxy-protocol.8080=accept,send-v2` */
  proxyProtocolPrefix: 'dev.meshdesk.proxy-protocol.',
} as const;

export const compose = {
  project: 'com.docker.compose.project',
  service: 'com.docker.compose.service',
  oneOff: 'com.docker.compose.oneoff',
} as const;

export const isOurs = (labels: Readonly<Record<string, string>> | undefined): boolean =>
  labels?.[label.role] !== undefined;
