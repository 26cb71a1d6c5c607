import { compareText } from '../../model/resource.ts';
import { hashText } from '../../shared/hash.ts';

/** Third octets 0 to 255, fourth ones 1 to 254: no address of the block that looks like a network or a broadcast. */
const lastOctets = 254;
const places = 256 * lastOctets;

/**
 * An address of 240.240.0.0/16 for each name (Istio's automatic allocation): the same name has the same address in every
 * mesh and after every start, unless two names fall on one place, where the one that sorts later moves to the next. Names
 * beyond what the block holds get none.
 */
export function allocateAddresses(names: Iterable<string>): ReadonlyMap<string, string> {
  const byName = new Map<string, string>();
  const taken = new Set<number>();
  for (const name of [...new Set(names)].sort(compareText)) {
    if (taken.size >= places) break;
    let place = hashText(name) % places;
    while (taken.has(place)) place = (place + 1) % places;
    taken.add(place);
    byName.set(name, `240.240.${Math.floor(place / lastOctets)}.${(place % lastOctets) + 1}`);
  }
  return byName;
}
