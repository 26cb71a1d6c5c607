/** Routes of connections that are not HTTP: by SNI (TLS that is not ours to open), or by port and address alone. */
import { z } from 'zod';

const Port = z.number().int().min(1).max(65_535);

export const L4MatchConfig = z.strictObject({
  /** `*.com` covers `foo.example.com` and `example.com`; absent: TLS or not, any name. */
  sniHosts: z.array(z.string()).optional(),
  port: Port.optional(),
  /** Addresses or blocks of the destination that was dialled. */
  destinationSubnets: z.array(z.string()).optional(),
});
export type L4MatchConfig = z.infer<typeof L4MatchConfig>;

export const L4RouteConfig = z.strictObject({
  name: z.string(),
  /** Blocks are ORed; empty: every connection. */
  match: z.array(L4MatchConfig),
  destinations: z
    .array(
      z.strictObject({
        service: z.string(),
        subset: z.string().nullable(),
        port: Port.nullable(),
        weight: z.number().int().min(0),
      }),
    )
    .min(1),
});
export type L4RouteConfig = z.infer<typeof L4RouteConfig>;
