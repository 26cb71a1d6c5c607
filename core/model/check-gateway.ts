/** What a schema cannot say about an Istio Gateway. Source: istio/pkg/config/validation, ValidateGateway. */
import { checkNamespacedHost } from './check-selectors.ts';
import type { Gateway, GatewayServer, ServerTls } from './gateway.ts';
import { isDnsLabel, isHttpProtocol, isIpAddress, isTlsProtocol, toIstioProtocol } from './host-syntax.ts';
import type { Problems } from './problems.ts';

export function checkGateway({ metadata, spec }: Gateway, problems: Problems): void {
  if (!isDnsLabel(metadata.name))
    problems.at('metadata', 'name').error(`"${metadata.name}" is no name of a gateway`, 'Use letters, digits and "-".');
  const at = problems.at('spec', 'servers');
  const servers = spec.servers ?? [];
  if (servers.length === 0) problems.at('spec').error('has no servers', 'Give one server: port, hosts.');
  const names = servers.map(({ port }) => port.name);
  for (const [index, server] of servers.entries()) {
    checkServer(server, at.at(index));
    const { name } = server.port;
    if (names.indexOf(name) !== index)
      at.at(index, 'port', 'name').error(`"${name}" is there twice`, 'Name each port once.');
  }
}

function checkServer(server: GatewayServer, problems: Problems): void {
  if (server.hosts.length === 0) problems.at('hosts').error('must not be empty', 'Name the hosts, or "*".');
  for (const [index, host] of server.hosts.entries()) checkNamespacedHost(host, true, problems.at('hosts', index));
  const { port, tls, bind = '' } = server;
  const protocol = toIstioProtocol(port.protocol);
  if (protocol === null)
    problems
      .at('port', 'protocol')
      .error(`"${port.protocol}" is no protocol`, 'Use HTTP, HTTPS, GRPC, HTTP2, MONGO, TCP or TLS.');
  checkBind(port.number, bind, problems);
  if (port.targetPort) problems.at('port', 'targetPort').error('has no meaning at a gateway', 'Remove it.');
  if (port.name === '') problems.at('port', 'name').error('must not be empty', 'Name the port.');
  if (tls !== undefined) checkServerTls(tls, problems.at('tls'));
  if (protocol === null) return;
  if (isTlsProtocol(protocol) && tls === undefined)
    problems.error(`needs tls for ${port.protocol}`, 'Give tls: {mode: SIMPLE, credentialName: ...}.');
  if (tls === undefined || isTlsProtocol(protocol)) {
    if (tls?.httpsRedirect === true) problems.at('tls', 'httpsRedirect').warn('is for HTTP ports', 'Remove it here.');
    return;
  }
  if (!isHttpProtocol(protocol))
    problems.at('tls').error(`has no place at ${port.protocol}`, 'Use protocol TLS or HTTPS.');
  else if (
    (tls.mode ?? 'PASSTHROUGH') !== 'PASSTHROUGH' ||
    tls.caCertificates ||
    tls.privateKey ||
    tls.serverCertificate
  ) {
    problems.at('tls').error(`has no place at ${port.protocol}`, 'Use protocol HTTPS; only httpsRedirect is for HTTP.');
  }
}

function checkBind(number: number, bind: string, problems: Problems): void {
  const socket = bind.startsWith('unix://') ? bind.slice('unix://'.length) : null;
  if (socket === null) {
    if (number === 0) problems.at('port', 'number').error('must be 1 to 65535', 'Give the port.');
    if (bind !== '' && !isIpAddress(bind))
      problems.at('bind').error(`"${bind}" is no address`, 'Give an address of the proxy.');
    return;
  }
  if (!isSocketPath(socket))
    problems.at('bind').error(`"${bind}" is no path of a socket`, 'Write unix:///path/to/socket.');
  if (number !== 0) problems.at('port', 'number').error('must be 0 for a Unix socket', 'Use 0.');
}

export function isSocketPath(path: string): boolean {
  return path.startsWith('@') || (path.startsWith('/') && !path.endsWith('/'));
}

export function checkServerTls(tls: ServerTls, problems: Problems): void {
  const { mode = 'PASSTHROUGH' } = tls;
  const names = tls.credentialNames ?? [];
  const certificates = tls.tlsCertificates ?? [];
  if (mode === 'ISTIO_MUTUAL') {
    const own = (['serverCertificate', 'privateKey', 'caCertificates', 'credentialName'] as const).find(
      (field) => tls[field],
    );
    const list = names.length > 0 ? 'credentialNames' : certificates.length > 0 ? 'tlsCertificates' : undefined;
    const field = own ?? list;
    if (field !== undefined)
      problems.at(field).error('has no place with ISTIO_MUTUAL', 'The mesh brings its own certificates.');
    return;
  }
  const sources = [
    tls.serverCertificate && tls.privateKey,
    tls.credentialName,
    names.length > 0,
    certificates.length > 0,
  ].filter(Boolean);
  if (sources.length > 1) problems.error('has certificates from more than one place', 'Give credentialName, or files.');
  if (['SIMPLE', 'MUTUAL', 'OPTIONAL_MUTUAL'].includes(mode) && !tls.credentialName && names.length === 0)
    checkFiles(tls, problems);
  else if (mode.endsWith('PASSTHROUGH') && sources.length > 0)
    problems.warn(`has certificates, which ${mode} does not use`, 'Remove them, or use SIMPLE.');
  const terminates = !(
    ['SIMPLE', 'MUTUAL', 'OPTIONAL_MUTUAL'].includes(mode) &&
    (tls.credentialName || names.length > 0)
  );
  if (tls.caCrl && terminates) {
    if (tls.credentialName)
      problems.at('caCrl').error('has no place next to credentialName', 'Put the list into the credential.');
    if (mode === 'SIMPLE')
      problems.at('caCrl').error('has no place with SIMPLE', 'No client certificates are asked for.');
  }
}

function checkFiles(tls: ServerTls, problems: Problems): void {
  const { mode, tlsCertificates = [] } = tls;
  if (mode !== 'SIMPLE' && !tls.caCertificates)
    problems.error(`needs caCertificates for ${mode}`, 'Give the CA of the clients, or credentialName.');
  const pairs = tlsCertificates.length > 0 ? tlsCertificates : [tls];
  for (const pair of pairs) {
    if (!pair.serverCertificate)
      problems.error('needs serverCertificate', 'Give serverCertificate and privateKey, or credentialName.');
    if (!pair.privateKey)
      problems.error('needs privateKey', 'Give serverCertificate and privateKey, or credentialName.');
  }
}
