import { Command } from 'commander';
import type { CertificateView } from '../../contract/shapes.ts';
import { usage } from './arguments.ts';
import { defineCommand, type Environment, Exit, exitCodes } from './context.ts';
import type { Output } from './output.ts';

function printCertificate(output: Output, certificate: CertificateView): void {
  const { workload } = certificate;
  output.say(output.paint('bold', `${workload.name} (${workload.service}.${workload.namespace})`));
  const lines: [string, string][] = [
    ['SPIFFE ID', certificate.spiffeId],
    ['subject', certificate.subject],
    ['issuer', certificate.issuer],
    ['serial', certificate.serial],
    ['valid', `${certificate.notBefore} to ${certificate.notAfter}, rotates at ${certificate.rotatesAt}`],
    ['SHA-256', certificate.fingerprintSha256],
    ['chain', certificate.details.map(({ subject, keyType }) => `${subject} (${keyType})`).join(' <- ')],
  ];
  for (const [name, value] of lines) output.say(`  ${name.padEnd(10)} ${value}`);
}

function show(environment: Environment): Command {
  return defineCommand(environment, 'show', 'the certificate of a workload')
    .argument('<workload>', 'name or id')
    .run(async ({ call, output }, [workload]) => {
      const certificate = await call('certificate.show', { workload: String(workload) });
      output.result(certificate, () => printCertificate(output, certificate));
    });
}

function rotate(environment: Environment): Command {
  return defineCommand(environment, 'rotate', 'issue a new certificate for one workload or all, or a new root')
    .argument('[workload]', 'name or id')
    .option('--all', 'every attached workload')
    .option('--root', 'a new root CA, then every workload')
    .run<{ all?: boolean; root?: boolean }>(async ({ call, output }, [workload], options) => {
      const given = [workload !== undefined, options.all === true, options.root === true].filter(Boolean).length;
      if (given !== 1) usage('give a workload, or --all, or --root');
      const which =
        typeof workload === 'string'
          ? { workload }
          : options.all === true
            ? { all: true as const }
            : { root: true as const };
      const certificates = await call('certificate.rotate', which);
      const value = typeof workload === 'string' && certificates.length === 1 ? certificates[0] : certificates;
      output.result(value, () => {
        for (const certificate of certificates) printCertificate(output, certificate);
      });
    });
}

function verify(environment: Environment): Command {
  return defineCommand(environment, 'verify', 'check the certificate of a workload: chain, validity, SAN, key')
    .argument('<workload>', 'name or id')
    .run(async ({ call, output }, [workload]) => {
      const check = await call('certificate.verify', { workload: String(workload) });
      output.result(check, () =>
        output.table(
          ['CHECK', 'RESULT', ''],
          check.checks.map(({ name, ok, message }) => [
            name,
            { text: ok ? 'ok' : 'fails', colour: ok ? 'green' : 'red' },
            message,
          ]),
        ),
      );
      if (!check.ok) throw new Exit(exitCodes.failed);
    });
}

function certCommand(environment: Environment): Command {
  const command = new Command('cert').description('identity: certificates of workloads');
  for (const member of [show, rotate, verify]) command.addCommand(member(environment));
  return command;
}

export const certificateCommands = [certCommand];
